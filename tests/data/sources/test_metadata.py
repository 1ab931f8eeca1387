"""Hugging Face's ImageFolder: tables of labels beside the pictures, where no folder says the class."""

import json
from pathlib import Path

import pytest

from frostline.data.sample import sample_folder
from frostline.data.sources.digests import Digests
from frostline.data.sources.folder import FolderSource
from frostline.errors import DataError

CSV = "file_name,label,site\n1.jpg,cat,x\nin/2.jpg,dog,y\n"


def make(root: Path, *pictures: str, **tables: str) -> FolderSource:
    """Pictures below `root`, and tables by their places, in which __ stands for a slash and _ for a full stop."""
    for name in pictures:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    for place, text in tables.items():
        file = root / place.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return FolderSource(root)


def found(source: FolderSource) -> set[tuple[str, str, str | None]]:
    return {(record.image, record.label, record.split) for record in source.records()}


def test_a_table_in_the_top_folder(tmp_path: Path) -> None:
    source = make(tmp_path, "1.jpg", "in/2.jpg", metadata_csv=CSV)
    assert found(source) == {("1.jpg", "cat", None), ("in/2.jpg", "dog", None)}
    assert [record.extra for record in source.records()] == [{"site": "x"}, {"site": "y"}]


@pytest.mark.parametrize("top", ["", "data/", "set/data/"])
def test_a_table_in_each_split(tmp_path: Path, top: str) -> None:
    lines = [json.dumps({"file_name": name, "label": number}) for number, name in enumerate(("1.jpg", "in/2.jpg"))]
    pictures = [f"{top}{split}/{name}" for split in ("train", "validation") for name in ("1.jpg", "in/2.jpg")]
    place = top.replace("/", "__")
    source = make(
        tmp_path,
        *pictures,
        **{f"{place}train__metadata_csv": CSV, f"{place}validation__metadata_jsonl": "\n".join(lines)},
    )
    assert found(source) == {
        (f"{top}train/1.jpg", "cat", "train"),
        (f"{top}train/in/2.jpg", "dog", "train"),
        (f"{top}validation/1.jpg", "0", "val"),
        (f"{top}validation/in/2.jpg", "1", "val"),
    }


def test_one_table_above_the_splits(tmp_path: Path) -> None:
    names = ("train/1.jpg", "eval/2.jpg")
    source = make(tmp_path, *names, metadata_csv="file_name,label\ntrain/1.jpg,cat\neval/2.jpg,dog\n")
    assert found(source) == {("train/1.jpg", "cat", "train"), ("eval/2.jpg", "dog", "test")}


def test_what_no_table_labels_is_left_out_and_told(tmp_path: Path) -> None:
    tables = {"train__metadata_csv": CSV, "test__metadata_csv": "file_name,text\n1.jpg,a cat\n"}
    reading = make(tmp_path, "train/1.jpg", "train/in/2.jpg", "train/3.jpg", "test/1.jpg", **tables).read()
    assert reading.counts() == {"cat": 1, "dog": 1}
    assert reading.left_out == {
        "test/metadata.csv": "without the columns file_name and label",
        "2 files": "in no table that says its label",
    }


def test_tables_without_labels_leave_the_folders_to_say_them(tmp_path: Path) -> None:
    source = make(tmp_path, "train/a/1.jpg", "train/b/1.jpg", train__metadata_csv="file_name,text\na/1.jpg,hello\n")
    assert found(source) == {("train/a/1.jpg", "a", "train"), ("train/b/1.jpg", "b", "train")}


def test_a_label_that_is_missing_is_one_clear_error_and_a_change_is_seen(tmp_path: Path) -> None:
    source = make(tmp_path, "1.jpg", "in/2.jpg", metadata_csv=CSV)
    before = source.state(Digests(tmp_path / "memory"))
    (tmp_path / "metadata.csv").write_text(CSV.replace("cat", "cow"))
    assert source.state(Digests(tmp_path / "memory")) != before
    (tmp_path / "metadata.csv").write_text(CSV.replace("cat", ""))
    with pytest.raises(DataError, match=r"metadata\.csv, line 2, has an empty label"):
        source.read()


def test_advice_on_such_a_folder_knows_its_classes(tmp_path: Path, cells: list[Path], limits) -> None:
    lines = []
    for number, cell in enumerate(cells):
        (tmp_path / f"{number}.png").write_bytes(cell.read_bytes())
        lines.append(f"{number}.png,{'odd' if number % 2 else 'even'}\n")
    (tmp_path / "metadata.csv").write_text("file_name,label\n" + "".join(lines[:30]))
    sample = sample_folder(tmp_path, 20, 32, limits, 1)
    assert (sample.classes, sample.counts, sample.loose) == (("even", "odd"), (15, 15), 11)
