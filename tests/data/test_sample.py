"""A first look at a folder: labelled or not, whole or broken, always honest about how much was seen."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frostline.config.schema import PrepareConfig
from frostline.data.sample import sample_folder, sample_rows
from frostline.data.splits import cell_rows
from frostline.errors import DataError

PREPARE = PrepareConfig()


@pytest.fixture
def folder(tmp_path: Path, solar_cells: list[Path]) -> Path:
    """30 pictures of class a, 6 of class b, one of them in both ways broken."""
    for number, cell in enumerate(solar_cells[:36]):
        place = tmp_path / "set" / ("b" if number % 6 == 0 else "a")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(cell, place)
    return tmp_path / "set"


def test_every_class_is_seen_as_often_as_it_can_be(folder: Path) -> None:
    sample = sample_folder(folder, 20, 32, PREPARE, 1)
    assert sample.images.shape == (20, 32, 32, 3)
    assert sample.classes == ("a", "b")
    assert (sample.counts, sample.trainable) == ((30, 6), (22, 4))
    assert np.bincount(sample.labels).tolist() == [16, 4]
    assert (sample.files, sample.opened, sample.left_out, sample.side) == (36, 36, {}, 300)


def test_a_larger_folder_is_drawn_from_and_its_cell_estimated(folder: Path) -> None:
    sample = sample_folder(folder, 3, 32, PREPARE, 1)
    assert (len(sample.images), sample.opened) == (3, 3)
    assert (sample.counts, sample.trainable) == ((30, 6), (22, 4))


@pytest.mark.parametrize(
    ("classes", "limit", "seen"),
    [((30, 6), 20, [14, 6]), ((30, 30), 21, [10, 10]), ((5, 5), 100, [5, 5]), ((1,) * 9, 4, [1] * 4)],
)
def test_rows_are_the_largest_cell_within_the_limit(classes: tuple[int, ...], limit: int, seen: list[int]) -> None:
    labels = [f"{number}" for number, count in enumerate(classes) for _ in range(count)]
    index = pd.DataFrame({"label": labels, "split": "train", "sha256": [str(row) for row in range(len(labels))]})
    index = pd.concat([index, index.assign(split="test")], ignore_index=True)
    rows = sample_rows(index, limit, seed=1)
    assert (index["split"].iloc[rows] == "train").all()
    assert sorted(index["label"].iloc[rows].value_counts(), reverse=True) == seen
    if len(classes) < limit:
        assert rows.tolist() == cell_rows(index, max(seen), 1).tolist()


def test_the_same_folder_gives_the_same_sample(folder: Path) -> None:
    first, second = (sample_folder(folder, 20, 32, PREPARE, 1) for _ in range(2))
    np.testing.assert_array_equal(first.images, second.images)


def test_unusable_files_are_counted_and_taken_off_the_estimate(folder: Path) -> None:
    for number in range(30):
        (folder / "a" / f"{number}.txt").write_text("no picture")
    sample = sample_folder(folder, 1000, 32, PREPARE, 1)
    assert sample.left_out == {"unreadable": 30}
    assert sample.counts == (30, 6)


def test_files_are_drawn_until_enough_of_them_are_pictures(folder: Path) -> None:
    for number in range(600):
        (folder / ("a" if number % 2 else "b") / f"{number}.wav").write_bytes(b"RIFF....WAVE" + bytes(100))
    sample = sample_folder(folder, 20, 32, PREPARE, 1)
    assert len(sample.images) == 20
    assert 20 < sample.opened <= sample.files == 636
    assert sample.left_out == {"unreadable": sample.opened - 20}
    assert sum(sample.counts) == pytest.approx(36, abs=20)
    whole = sample_folder(folder, 37, 32, PREPARE, 1)
    assert (whole.counts, whole.opened) == ((30, 6), 636)


def test_a_class_that_no_image_was_drawn_from_is_estimated_by_the_others(
    tmp_path: Path, solar_cells: list[Path]
) -> None:
    for number, cell in enumerate(solar_cells[:45]):
        place = tmp_path / "set" / f"class{number // 3:02d}"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(cell, place)
        (place / f"{number}.txt").write_text("no picture")
    sample = sample_folder(tmp_path / "set", 10, 32, PREPARE, 1)
    assert len(sample.images) == 10
    assert len(sample.classes) == len(sample.counts) == 15
    unseen = [count for number, count in enumerate(sample.counts) if number not in sample.labels]
    assert unseen
    assert all(0 <= count <= 6 for count in sample.counts)


def test_copies_of_one_picture_end_the_draw(tmp_path: Path, solar_cells: list[Path]) -> None:
    (tmp_path / "set").mkdir()
    for number in range(201):
        shutil.copy(solar_cells[0], tmp_path / "set" / f"{number}.png")
    sample = sample_folder(tmp_path / "set", 20, 32, PREPARE, 1)
    assert (len(sample.images), sample.opened, sample.left_out) == (1, 60, {"duplicate": 59})
    assert sample.counts == (3,)


def test_what_cannot_be_opened_keeps_its_reason(folder: Path) -> None:
    (folder / "a" / "nothing.png").touch()
    (folder / "a" / "gone.png").symlink_to(folder / "absent.png")
    os.mkfifo(folder.parent / "pipe")
    (folder / "a" / "pipe.png").symlink_to(folder.parent / "pipe")
    sample = sample_folder(folder, 1000, 32, PREPARE, 1)
    assert sample.left_out == {"empty": 1, "missing": 1, "unreadable": 1}


def test_a_picture_twice_under_one_label_counts_once(folder: Path) -> None:
    picture = next((folder / "a").iterdir())
    shutil.copy(picture, folder / "a" / "copy.png")
    sample = sample_folder(folder, 1000, 32, PREPARE, 1)
    assert sample.left_out == {"duplicate": 1}
    assert sample.counts == (30, 6)


def test_pictures_without_class_folders_are_unlabelled(folder: Path) -> None:
    sample = sample_folder(folder / "a", 1000, 32, PREPARE, 1)
    assert sample.classes == ()
    assert set(sample.labels) == {0}
    assert sample.counts == (30,)


def test_files_beside_class_folders_are_counted_apart(folder: Path) -> None:
    (folder / "notes.txt").touch()
    shutil.copy(next((folder / "a").iterdir()), folder)
    sample = sample_folder(folder, 20, 32, PREPARE, 1)
    assert (sample.loose, sample.files, sample.classes) == (2, 36, ("a", "b"))


def test_what_a_cell_is_made_of_is_looked_at_and_no_test_image(tmp_path: Path, folder: Path) -> None:
    whole = tmp_path / "whole"
    for number, picture in enumerate(sorted(folder.glob("*/*.png"))):
        place = whole / ("train", "val", "test")[number % 3] / picture.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, place)
    shutil.copy(next((whole / "train").glob("a/*")), whole / "test" / "a" / "again.png")
    sample = sample_folder(whole, 1000, 32, PREPARE, 1)
    assert sample.left_out == {"duplicate": 1}  # of train, since a test set stays whole
    assert sample.counts == sample.trainable
    assert len(sample.images) == sum(sample.counts) == 23
    drawn = sample_folder(whole, 2, 32, PREPARE, 1)
    assert (len(drawn.images), drawn.files) == (2, 24)


def test_a_folder_with_nothing_to_see_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent is not a folder .*Give a folder of pictures"):
        sample_folder(tmp_path / "absent", 10, 32, PREPARE, 1)
    (tmp_path / "empty" / "a").mkdir(parents=True)
    with pytest.raises(DataError, match=r"empty is empty\. Put pictures into it"):
        sample_folder(tmp_path / "empty", 10, 32, PREPARE, 1)
    (tmp_path / "empty" / "a" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"holds no usable image: of 1 file, 1 was opened \(1 unreadable\)"):
        sample_folder(tmp_path / "empty", 10, 32, PREPARE, 1)
    (tmp_path / "zero.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"zero.png is not a folder"):
        sample_folder(tmp_path / "zero.png", 10, 32, PREPARE, 1)


def test_folders_that_say_nothing_about_classes_are_told_so_not_called_empty(folder: Path) -> None:
    for split in ("train", "test"):
        shutil.copytree(folder / "a", folder / "flat" / split)
    (folder / "flat" / "README.md").write_text("a data set")
    with pytest.raises(DataError, match=r"flat holds the splits test/, train/, but no class folders"):
        sample_folder(folder / "flat", 10, 32, PrepareConfig(), 1)
