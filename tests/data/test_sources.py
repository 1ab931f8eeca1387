import importlib
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.config.schema import CsvConfig, ElpvConfig, FolderConfig, KerasConfig
from frostline.data.sources import Record, open_source
from frostline.data.sources.digests import Digests
from frostline.errors import DataError, PackageError


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def folder(root: Path) -> list[Record]:
    return open_source(FolderConfig(source="folder", path=root)).records()


def found(root: Path) -> set[tuple[str, str, str | None]]:
    return {(record.image, record.label, record.split) for record in folder(root)}


def table(file: Path, text: str) -> list[Record]:
    file.write_text(text, encoding="utf-8")
    return open_source(CsvConfig(source="csv", path=file)).records()


def test_folder_of_classes_with_files_at_any_depth(tmp_path: Path) -> None:
    make(
        tmp_path, "cat/a.png", "cat/deep/er/b.txt", "dog/c d é.png", "dog/.hidden", "dog/Thumbs.db", ".git/x", "read.me"
    )
    assert found(tmp_path) == {
        ("cat/a.png", "cat", None),
        ("cat/deep/er/b.txt", "cat", None),
        ("dog/c d é.png", "dog", None),
    }


def test_folder_splits_are_honoured(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/a", "Valid/cat/b", "test/dog/c")
    assert found(tmp_path) == {
        ("train/cat/a", "cat", "train"),
        ("Valid/cat/b", "cat", "val"),
        ("test/dog/c", "dog", "test"),
    }


def test_classes_may_be_called_like_splits(tmp_path: Path) -> None:
    make(tmp_path, "train/1.png", "bus/2.png", "test/3.png")
    assert {record.label for record in folder(tmp_path)} == {"train", "bus", "test"}


def test_splits_beside_classes_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/a", "bus/b")
    with pytest.raises(DataError, match="beside it folders that are no split: bus"):
        folder(tmp_path)


def test_links_that_loop_are_records_and_end(tmp_path: Path) -> None:
    make(tmp_path, "cat/a", "cat/in/b", "dog/c", "elsewhere/d")
    (tmp_path / "cat/self").symlink_to("self")
    (tmp_path / "cat/up").symlink_to(tmp_path)
    (tmp_path / "cat/in/back").symlink_to("..")
    (tmp_path / "cat/again").symlink_to("in")
    (tmp_path / "cat/nowhere").symlink_to("absent")
    (tmp_path / "dog/linked").symlink_to("../elsewhere/d")
    (tmp_path / "loop").symlink_to(".")
    expected = {"a", "in/b", "self", "up", "in/back", "nowhere"}
    assert {image for image, label, _ in found(tmp_path) if label == "cat"} == {f"cat/{name}" for name in expected}
    assert {image for image, label, _ in found(tmp_path) if label == "dog"} == {"dog/c", "dog/linked"}
    assert "loop" not in {label for _, label, _ in found(tmp_path)}


def test_pipes_are_no_pictures(tmp_path: Path) -> None:
    make(tmp_path, "cat/a")
    os.mkfifo(tmp_path / "cat/pipe")
    assert found(tmp_path) == {("cat/a", "cat", None)}


@pytest.mark.parametrize(("made", "message"), [(False, "does not exist .* Mend `path`"), (True, "holds no files")])
def test_folder_without_pictures(tmp_path: Path, made: bool, message: str) -> None:
    if made:
        (tmp_path / "root/cat").mkdir(parents=True)
    with pytest.raises(DataError, match=message):
        folder(tmp_path / "root")


def test_folder_state_changes_with_its_files(tmp_path: Path) -> None:
    make(tmp_path / "here", "cat/a", "cat/b")
    source, digests = open_source(FolderConfig(source="folder", path=tmp_path / "here")), Digests(tmp_path / "memory")
    states = [source.state(digests)]
    (tmp_path / "here/cat/a").write_text("other")
    states.append(source.state(digests))
    make(tmp_path / "here", "dog/c")
    states.append(source.state(digests))
    assert len(set(states)) == 3


def test_the_same_files_are_the_same_wherever_and_whenever_they_were_written(tmp_path: Path) -> None:
    make(tmp_path / "here", "cat/a", "cat/b")
    shutil.copytree(tmp_path / "here", tmp_path / "there", copy_function=shutil.copyfile)
    os.utime(tmp_path / "there/cat/a", ns=(1, 1))
    sources = [open_source(FolderConfig(source="folder", path=tmp_path / name)) for name in ("here", "there")]
    here, there = (source.state(Digests(tmp_path / "memory")) for source in sources)
    assert here == there


def test_csv(tmp_path: Path) -> None:
    absolute = tmp_path.parent / "other.png"
    records = table(
        tmp_path / "t.csv",
        f"\ufeffimage,label,split,group,site\n./in/a b.png,NA,Validation,g1,x\n{absolute},dog,,,\n",
    )
    assert records == [
        Record("in/a b.png", "NA", "val", "g1", {"site": "x"}),
        Record("../other.png", "dog", None, None, {"site": ""}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na,b\n", r"lacks the column\(s\) image. Expected image, label .* received file, label"),
        ("", "received an empty file"),
        ("image,label\n", "no rows"),
        ("image,label\na,\n", "line 2, has an empty label"),
        ("image,label,split\na,b,fold 3\n", "line 2, has split 'fold 3'. Expected one of train"),
        ("image,label\na,b,c\n", "line 2, has more cells"),
    ],
)
def test_faulty_csv(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        table(tmp_path / "t.csv", text)


def test_csv_that_is_absent_or_not_text(tmp_path: Path) -> None:
    source = open_source(CsvConfig(source="csv", path=tmp_path / "t.csv"))
    with pytest.raises(DataError, match="does not exist"):
        source.records()
    (tmp_path / "t.csv").write_bytes(b"image,label\n\xff\xfe,b\n")
    with pytest.raises(DataError, match="cannot be read as CSV in UTF-8"):
        source.records()


def test_csv_state_changes_with_labels_and_files(tmp_path: Path) -> None:
    source = open_source(CsvConfig(source="csv", path=tmp_path / "t.csv"))
    states = set()
    for text, content in (("image,label\na,x\n", "1"), ("image,label\na,y\n", "1"), ("image,label\na,y\n", "22")):
        (tmp_path / "t.csv").write_text(text)
        (tmp_path / "a").write_text(content)
        states.add(source.state(Digests(tmp_path / "memory")))
    assert len(states) == 3


def test_elpv_labels_by_threshold(tmp_path: Path) -> None:
    at = {threshold: open_source(ElpvConfig(source="elpv", threshold=threshold)) for threshold in (0.5, 1.0)}
    assert {len(source.records()) for source in at.values()} == {2624}
    defective = {
        threshold: sum(record.label == "defective" for record in source.records()) for threshold, source in at.items()
    }
    assert defective == {0.5: 821, 1.0: 715}
    assert len({source.state(Digests(tmp_path / "memory")) for source in at.values()}) == 2
    assert at[0.5].records()[0] == Record(
        "images/cell0001.png", "defective", extra={"cell_type": "mono", "probability": "1.0"}
    )


def test_elpv_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    importlib.invalidate_caches()
    with pytest.raises(PackageError, match=r"pip install 'frostline\[demo\]'"):
        open_source(ElpvConfig(source="elpv"))


def test_keras_dataset_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip("keras")
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    labels = np.array([[0], [9], [9]], dtype=np.uint8)
    calls = []

    def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        calls.append(1)
        return (images[:3], labels), (images[3:], labels)

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", load_data)
    monkeypatch.chdir(tmp_path)
    source = open_source(KerasConfig(source="keras", name="cifar10"))
    records = source.records()
    assert records == source.records()
    assert len(calls) == 1
    assert {(record.label, record.split) for record in records} == {
        (label, split) for label in ("airplane", "truck") for split in ("train", "test")
    }
    assert np.array_equal(np.asarray(Image.open(source.root / "test/truck/00002.png")), images[5])


def test_keras_dataset_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip("keras")

    def load_data() -> None:
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", load_data)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"URL fetch failure. It needs the internet the first time"):
        open_source(KerasConfig(source="keras", name="mnist")).records()
    assert not list(tmp_path.rglob("*"))
