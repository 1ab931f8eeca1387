import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from frostline.config.schema import CsvConfig, FolderConfig, PrepareConfig
from frostline.data.manifest import Prepared, build, other_columns, read_manifest, write_prepared
from frostline.data.sources import Reading, Record, open_source
from frostline.data.sources.digests import Digests
from frostline.errors import ArtifactError, DataError
from frostline.provenance import DECODER_VERSION, Pictures, versions

Make = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, solar_cells: list[Path]) -> Path:
    """Two classes of 12 solar cells that are no near duplicates of each other."""
    root = tmp_path / "cells"
    for label, first in (("a", 100), ("b", 1700)):
        (root / label).mkdir(parents=True)
        for file in solar_cells[first : first + 12]:
            shutil.copy(file, root / label / file.name)
    return root


def prepare(root: Path, config: PrepareConfig, seed: int = 1) -> Prepared:
    options = FolderConfig(source="folder", path=root)
    return build(open_source(options), options, config, seed)


def put_aside(prepared: Prepared) -> dict[str, str]:
    return dict(zip(prepared.quarantine["image"], prepared.quarantine["reason"], strict=True))


def first(folder: Path, label: str) -> Path:
    return min((folder / label).iterdir())


def test_manifest_and_card(folder: Path, prepare_config: PrepareConfig) -> None:
    prepared = prepare(folder, prepare_config)
    assert list(prepared.manifest) == ["image", "label", "split", "group", "width", "height", "sha256"]
    assert prepared.manifest["image"].is_monotonic_increasing
    card = prepared.card
    assert card["classes"] == {label: {"test": 3, "train": 9} for label in "ab"}
    assert (card["images"], card["quarantined"], card["source"]) == (24, {}, {"source": "folder", "path": "cells"})
    assert card["decoder"] == {"version": DECODER_VERSION} | versions(Pictures.libraries)
    assert card["width"] == {"min": 300.0, "median": 300.0, "max": 300.0}


def test_outputs_are_the_same_bytes_and_name_no_folder(
    folder: Path, tmp_path: Path, prepare_config: PrepareConfig
) -> None:
    (folder / "a/zz.png").write_text("no picture")
    shutil.copytree(folder, tmp_path / "else/where/cells")
    outputs = []
    for number, root in enumerate((folder, tmp_path / "else/where/cells")):
        write_prepared(tmp_path / f"out{number}", prepare(root, prepare_config))
        outputs.append({file.name: file.read_bytes() for file in (tmp_path / f"out{number}").iterdir()})
    assert outputs[0] == outputs[1]
    assert set(outputs[0]) == {"manifest.csv", "quarantine.csv", "corrected.csv", "card.json"}
    assert str(tmp_path).encode() not in b"".join(outputs[0].values())


def test_manifest_is_read_as_it_was_written(folder: Path, tmp_path: Path, prepare_config: PrepareConfig) -> None:
    (folder / "a").rename(folder / "NA")
    (folder / "b").rename(folder / "007")
    prepared = prepare(folder, prepare_config)
    write_prepared(tmp_path / "out", prepared)
    again = read_manifest(tmp_path / "out/manifest.csv")
    pd.testing.assert_frame_equal(again, prepared.manifest)
    assert set(again["label"]) == {"NA", "007"}


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"manifest.csv does not exist. Make it with: dvc repro"):
        read_manifest(tmp_path / "manifest.csv")


def test_copies_are_kept_once(folder: Path, prepare_config: PrepareConfig) -> None:
    shutil.copy(first(folder, "a"), folder / "a/zz.png")
    prepared = prepare(folder, prepare_config)
    assert put_aside(prepared) == {"a/zz.png": "duplicate"}
    assert prepared.quarantine["detail"][0] == f"the same file as a/{first(folder, 'a').name}"
    assert (prepared.card["images"], prepared.card["duplicates"]) == (24, 1)


def test_one_file_under_two_labels_goes_everywhere(folder: Path, prepare_config: PrepareConfig) -> None:
    name = first(folder, "a").name
    for copy in ("a/zz.png", "b/zz.png"):
        shutil.copy(folder / "a" / name, folder / copy)
    prepared = prepare(folder, prepare_config)
    assert put_aside(prepared) == dict.fromkeys([f"a/{name}", "a/zz.png", "b/zz.png"], "label_conflict")
    assert set(prepared.quarantine["detail"]) == {"the same file is labelled a, b"}


def test_near_duplicates_share_a_group_and_a_split(folder: Path, prepare_config: PrepareConfig) -> None:
    for file in sorted((folder / "a").iterdir()):
        Image.open(file).save(file.with_suffix(".jpg"), quality=92)
    manifest = prepare(folder, prepare_config).manifest
    pairs = manifest[manifest["label"] == "a"].groupby(manifest["image"].str.slice(stop=-4))
    assert pairs["group"].nunique().max() == pairs["split"].nunique().max() == 1
    assert manifest["group"].nunique() == 24


def test_a_test_image_is_kept_before_a_training_image(folder: Path, prepare_config: PrepareConfig) -> None:
    for split in ("test", "train"):
        (folder / split).mkdir()
    for label in "ab":
        shutil.copytree(folder / label, folder / "train" / label)
        (folder / "test" / label).mkdir()
        for number, file in enumerate(sorted((folder / label).iterdir())[:4]):
            if number == 0:
                Image.open(file).save(folder / "test" / label / "near.jpg", quality=92)
            else:
                shutil.copy(file, folder / "test" / label)
        shutil.rmtree(folder / label)
    prepared = prepare(folder, prepare_config)
    assert prepared.card["classes"] == {label: {"test": 4, "train": 8} for label in "ab"}
    assert prepared.card["quarantined"] == {"duplicate": 6, "split_leak": 2}
    assert all(image.startswith("train/") for image in prepared.quarantine["image"])
    leaks = prepared.quarantine[prepared.quarantine["reason"] == "split_leak"]
    assert leaks["detail"].str.fullmatch(r"a near duplicate of, or grouped with, the test image test/./near.jpg").all()


def test_groups_and_other_columns_of_a_table(folder: Path, prepare_config: PrepareConfig) -> None:
    images = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.png"))
    rows = [f"{image},{image[0]},cell {number // 4},east" for number, image in enumerate(images)]
    (folder / "t.csv").write_text("\n".join(["image,label,group,site", *rows]) + "\n")
    options = CsvConfig(source="csv", path=folder / "t.csv")
    manifest = build(open_source(options), options, prepare_config, 1).manifest
    assert set(manifest["site"]) == {"east"}
    assert manifest["group"].value_counts().tolist() == [4] * 6
    assert manifest.groupby("group")["split"].nunique().max() == 1
    assert manifest["split"].value_counts().to_dict() == {"train": 16, "test": 8}


def test_too_few_images_say_which_class_how_many_and_why(folder: Path, prepare_config: PrepareConfig) -> None:
    for file in sorted((folder / "b").iterdir())[:4]:
        file.write_bytes(b"")
    (folder / "c").mkdir()
    (folder / "c/x.png").write_text("text")
    with pytest.raises(DataError, match="at least 10 usable") as caught:
        prepare(folder, prepare_config)
    assert "Class 'b' has 8 usable images of 12. Left out: 4 empty, for example b/" in str(caught.value)
    assert "Class 'c' has 0 usable images of 1. Left out: 1 unreadable, for example c/x.png: not an" in str(
        caught.value
    )
    assert "Class 'a'" not in str(caught.value)


def test_nothing_usable_at_all(tmp_path: Path, prepare_config: PrepareConfig) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.png").touch()
    with pytest.raises(DataError, match=r"Class 'a' has 0 usable images of 1. Left out: 1 empty"):
        prepare(tmp_path, prepare_config)


def test_one_class_is_not_enough(folder: Path, prepare_config: PrepareConfig) -> None:
    shutil.rmtree(folder / "b")
    with pytest.raises(DataError, match="at least 2 classes, but the source has 1: a"):
        prepare(folder, prepare_config)


def test_class_of_near_duplicates_alone_has_no_test_images(folder: Path, prepare_config: PrepareConfig) -> None:
    picture = Image.open(first(folder, "b"))
    shutil.rmtree(folder / "b")
    (folder / "b").mkdir()
    for quality in range(80, 95):
        picture.save(folder / f"b/{quality}.jpg", quality=quality)
    with pytest.raises(DataError, match=r"No test images for the class\(es\) b.*near_duplicate_bits \(now 2\).*null"):
        prepare(folder, prepare_config)
    apart = prepare(folder, prepare_config.model_copy(update={"near_duplicate_bits": None}))
    assert apart.card["classes"]["b"] == {"test": 4, "train": 11}


def test_a_class_that_the_own_test_split_lacks(folder: Path, prepare_config: PrepareConfig) -> None:
    (folder / "test/b").mkdir(parents=True)
    (folder / "test/b/x.png").write_bytes(first(folder, "b").read_bytes())
    (folder / "train").mkdir()
    for label in "ab":
        (folder / label).rename(folder / "train" / label)
    with pytest.raises(
        DataError, match=r"No test images for the class\(es\) a\. .*own splits leave none .* take its test"
    ):
        prepare(folder, prepare_config)


def test_empty_class_folders_are_refused(folder: Path, prepare_config: PrepareConfig) -> None:
    (folder / "c").mkdir()
    (folder / "c/Thumbs.db").touch()
    with pytest.raises(DataError, match=r"Class 'c' has 0 usable images of 0. Its folder holds no pictures: remove it"):
        prepare(folder, prepare_config)


def test_what_was_taken_for_what_is_said_and_on_the_card(
    folder: Path, prepare_config: PrepareConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "a", folder / "@eaDir")
    card = prepare(folder, prepare_config).card
    assert card["folders"] == {"a": ["a"], "b": ["b"]}
    assert card["left_out"] == {"@eaDir": "hidden, or a system's own"}
    said = capsys.readouterr().err
    assert "2 classes: a (12 files in a), b (12 files in b)" in said
    assert "left out: @eaDir (hidden, or a system's own)" in said


def test_plain_pictures_are_no_near_duplicates(tmp_path: Path, prepare_config: PrepareConfig) -> None:
    for label, band in (("red", 0), ("blue", 2)):
        (tmp_path / label).mkdir()
        for value in range(12):
            colour = [40, 40, 40]
            colour[band] = 100 + value
            Image.new("RGB", (32, 32), tuple(colour)).save(tmp_path / label / f"{value}.png")
        shutil.copy(tmp_path / label / "0.png", tmp_path / label / "copy.png")
    prepared = prepare(tmp_path, prepare_config)
    assert prepared.card["classes"] == {label: {"test": 3, "train": 9} for label in ("red", "blue")}
    assert prepared.card["quarantined"] == {"duplicate": 2}


def test_other_columns_are_never_taken_for_own_ones(folder: Path, prepare_config: PrepareConfig) -> None:
    names = [
        "phash",
        "source_group",
        "priority",
        "row",
        "width",
        "height",
        "sha256",
        "source.width",
        "Label",
        " label ",
    ]
    images = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.png"))
    rows = [
        ",".join([image, image[0], *(f"{name.strip()} {number}" for name in names)])
        for number, image in enumerate(images)
    ]
    plain = prepare(folder, prepare_config).manifest
    (folder / "t.csv").write_text("\n".join([",".join(["image", "label", *names]), *rows]) + "\n")
    options = CsvConfig(source="csv", path=folder / "t.csv")
    manifest = build(open_source(options), options, prepare_config, 1).manifest
    pd.testing.assert_frame_equal(manifest[list(plain)], plain)
    columns = other_columns(manifest)
    assert set(columns) == {name.strip() for name in names}
    for name, column in columns.items():
        assert manifest[column].tolist() == [f"{name} {number}" for number in range(len(images))]


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=40, deadline=None)
@given(st.lists(NAMES, min_size=8, max_size=8, unique=True), TEXTS, TEXTS, TEXTS)
def test_manifest_is_read_as_written_whatever_the_names(names: list[str], label: str, column: str, cell: str) -> None:
    config = PrepareConfig(min_side=1, min_images_per_class=2, near_duplicate_bits=None)
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        records = [
            Record(f"x{name}", f"{label}{number % 2}", extra={f"x{column}": cell}) for number, name in enumerate(names)
        ]
        for number, record in enumerate(records):
            Image.new("L", (4, 4), number).save(root / record.image, format="PNG")
        prepared = build(Listed(root, records), FolderConfig(source="folder", path=root), config, 1)
        write_prepared(root / "out", prepared)
        pd.testing.assert_frame_equal(read_manifest(root / "out/manifest.csv"), prepared.manifest)
        assert sorted(prepared.manifest["image"]) == sorted(record.image for record in records)
        assert set(prepared.manifest["label"]) == {f"{label}0", f"{label}1"}


@dataclass(frozen=True)
class Listed:
    """A source of just these records."""

    root: Path
    listed: list[Record]

    def read(self) -> Reading:
        return Reading(self.listed)

    def records(self) -> list[Record]:
        return self.listed

    def state(self) -> str:
        return ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows names that are not text")
def test_names_that_are_not_text(folder: Path, tmp_path: Path, prepare_config: PrepareConfig) -> None:
    shutil.copy(first(folder, "a"), os.fsencode(folder / "a") + b"/\xff.png")
    prepared = prepare(folder, prepare_config)
    assert put_aside(prepared) == {r"a/\udcff.png": "unreadable"}
    assert prepared.quarantine["detail"][0] == "its name is not valid UTF-8"
    write_prepared(tmp_path / "out", prepared)
    assert len(open_source(FolderConfig(source="folder", path=folder)).state(Digests(tmp_path / "memory"))) == 64
