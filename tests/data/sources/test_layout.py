"""What folders are taken for, by table."""

import re
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.data.sources.digests import Digests
from frostline.data.sources.folder import FolderSource
from frostline.data.sources.record import Reading
from frostline.errors import DataError

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def make(root: Path, *names: str) -> Path:
    """Files below `root`, each with its name in it; a name that ends in a slash is an empty folder."""
    for name in names:
        if name.endswith("/"):
            (root / name).mkdir(parents=True)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
    return root


def read(root: Path, *names: str) -> Reading:
    return FolderSource(make(root, *names)).read()


def classes(*folders: str) -> list[str]:
    return [f"{folder}/{label}/1.jpg" for folder in folders for label in "ab"]


def splits(reading: Reading) -> dict[str, str]:
    """The split of each class, train, val and test in order: `a: train test`."""
    order = [None, "train", "val", "test"]
    found = {(record.label, record.split) for record in reading.records}
    return {
        label: " ".join(str(s) for s in order if (label, s) in found) for label in sorted({one for one, _ in found})
    }


BOTH = {"a": "train test", "b": "train test"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (classes("training", "testing"), BOTH),
        (classes("Train-Images", "Test-Images"), BOTH),
        (classes("TRAIN_SET", "TEST_SET"), BOTH),
        (classes("trainset", "testset"), BOTH),
        (classes("train2017", "test2017"), BOTH),
        (classes("01 Training", "02 Test"), BOTH),
        (classes("train", "hold_out"), BOTH),
        (classes("train", "dev", "eval"), {"a": "train val test", "b": "train val test"}),
        (classes("train", "eval", "test"), {"a": "train val test", "b": "train val test"}),
        (classes("train", "evaluation"), BOTH),
        (classes("trainval", "test"), BOTH),
        (classes("train_1", "train_2", "test"), BOTH),
        (classes("seg_train/seg_train", "seg_test/seg_test"), BOTH),
        (classes("train/train_images", "test/test_images"), BOTH),
        (classes("train/images", "test/images"), BOTH),
        (classes("train/flowers", "test/flowers"), BOTH),
        (classes("images/train", "images/test"), BOTH),
        (classes("data/set/train", "data/set/test"), BOTH),
        (["a/train/1.jpg", "a/test/2.jpg", "b/Training/1.jpg", "b/test/2.jpg"], BOTH),
        ([*classes("train"), "test/a/1.jpg"], {"a": "train test", "b": "train"}),
        ([*classes("train"), "test/a/in/1.jpg", "test/a/out/1.jpg"], {"a": "train test", "b": "train"}),
        (classes("train"), {"a": "train", "b": "train"}),
        (classes("dataset/dataset"), {"a": "None", "b": "None"}),
        ([*classes("set"), "set/README.md", "LICENSE"], {"a": "None", "b": "None"}),
        (["a/in/1.jpg", "a/out/1.jpg", "b/in/1.jpg", "b/out/1.jpg"], {"a": "None", "b": "None"}),
        (["train/1.jpg", "bus/1.jpg", "test/1.jpg"], {"bus": "None", "test": "None", "train": "None"}),
        (
            ["train/test_tube/1.jpg", "train/vial/1.jpg", "test/test_tube/2.jpg"],
            {"test_tube": "train test", "vial": "train"},
        ),
        (classes("train/seg_train", "test/seg_test"), BOTH),
        ([f"{NFC}/x/1.jpg", f"{NFD}/x/2.jpg", "tea/x/3.jpg"], {NFC: "None", "tea": "None"}),
        (["bullet_train/1.jpg", "crash_test/1.jpg"], {"bullet_train": "None", "crash_test": "None"}),
        (["on/train/red/1.jpg", "on/bus/1.jpg", "off/x/1.jpg"], {"off": "None", "on": "None"}),
        (classes("Entrenamiento", "Prueba"), BOTH),
        (classes("训练集", "测试集"), BOTH),
        (classes("traindir", "testdir"), BOTH),
        ([f"{one}/{one}_{split}/1.jpg" for one in "ab" for split in ("train", "test")], BOTH),
        ([*classes("Objects"), "Annotations/a/1.mat", "ImageSets/a.txt"], {"a": "None", "b": "None"}),
        (["mask/x/1.jpg", "no_mask/x/1.jpg"], {"mask": "None", "no_mask": "None"}),
        ([*classes("set"), "more/1"], {"more": "None", "set": "None"}),
        ([*classes("set"), "v1.0/"], {"set": "None"}),
        (["mask/1.jpg", "no_mask/1.jpg"], {"mask": "None", "no_mask": "None"}),
    ],
    ids=lambda value: ", ".join(dict.fromkeys(Path(name).parent.as_posix() for name in value)) if value else "",
)
def test_layouts_that_are_understood(tmp_path: Path, names: list[str], expected: dict[str, str]) -> None:
    assert splits(read(tmp_path / "root", *names)) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train/1.jpg", "test/2.jpg"], r"the splits test/, train/, but no class folders in test/, train/"),
        (["seg_train/seg_train/1.jpg", "seg_test/seg_test/2.jpg"], r"the splits .*, but no class folders"),
        (["train2017/1.jpg", "val2017/2.jpg", "annotations/x.json"], r"but no class folders in train2017/, val2017/"),
        (["train/1.jpg", *classes("test")], r"but no class folders in train/"),
        (classes("test"), r"the splits test/, but no training split"),
        (classes("val", "test"), r"the splits test/, val/, but no training split"),
        ([*classes("train"), "bus/1.jpg"], r"beside it folders that are no split: bus/"),
        ([*classes("train", "test", "copy/train")], r"beside it folders that are no split: copy/"),
        ([f"{one}_{s}/1.jpg" for one in ("cats", "dogs") for s in ("train", "test")], r"splits of more than one thing"),
        (classes("one/train", "two/train", "two/test"), r"splits of more than one thing: one/train/, two/test/, two/t"),
        (
            ["a/train/1.jpg", "a/test/1.jpg", "b/1.jpg"],
            r"splits a/test/, a/train/, but other things too, or only, in b/",
        ),
        (
            ["a/train/1.jpg", "a/test/1.jpg", "a/1.jpg"],
            r"splits a/test/, a/train/, but other things too, or only, in a/",
        ),
        (classes("fold1", "fold2"), r"fold1/, fold2/: folds of a cross-validation"),
        (["train/images/1.jpg", "train/labels/1.txt"], r"train/images/, train/labels/: pictures and their annotations"),
        (["images/1.jpg", "masks/1.png"], r"images/, masks/: pictures and their annotations"),
    ],
)
def test_layouts_that_say_nothing_about_classes(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "root", *names)
    assert "Expected a sub-folder per class" in str(caught.value)
    assert "`path` under datasets in params.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        ([*classes("train"), "test/1.jpg", "test/2.jpg"], {"test": r"without class folders, so its files \(2\)"}),
        ([*classes("train"), "val/"], {"val": "empty"}),
        ([*classes("train"), "val/images/1.jpg"], {"val": r"without class folders, so its files \(1\)"}),
        ([*classes("seg_train", "seg_test"), "seg_pred/seg_pred/1.jpg"], {"seg_pred": "unlabelled"}),
        ([*classes("train", "test"), "annotations/1.xml"], {"annotations": "annotations"}),
        ([*classes("Images"), "Annotation/a/1"], {"Annotation": "annotations"}),
        ([*classes("images"), "meta/train.txt"], {"meta": "annotations"}),
        ([*classes("images"), "parts/x.txt", "papers/x.pdf"], {"parts": "without pictures", "papers": "without pict"}),
        ([*classes("train", "test"), "docs/x.pdf"], {"docs": "without pictures"}),
        ([*classes("train"), "read.me", "train/1.jpg"], {"1 file": "no class folder", "1 file in train": "no class"}),
        (["a/1.jpg", "b/1.jpg", "a/@eaDir/1.jpg", ".git/x", "@eaDir/a/1.jpg"], {".git": "hidden", "@eaDir": "system"}),
    ],
)
def test_what_is_left_out_is_told(tmp_path: Path, names: list[str], left_out: dict[str, str]) -> None:
    reading = read(tmp_path / "root", *names)
    assert list(splits(reading)) == ["a", "b"]
    assert reading.left_out.keys() == left_out.keys()
    assert all(re.search(why, reading.left_out[name]) for name, why in left_out.items())
    assert all(name in reading.lines()[1] for name in left_out)


def test_names_of_one_word_are_one_class(tmp_path: Path) -> None:
    reading = read(tmp_path / "root", f"train/{NFC}/1", f"train/{NFD}/2", f"test/{NFD} /3", "train/tea/4", "test/tea/5")
    assert splits(reading) == {NFC: "train test", "tea": "train test"}
    assert {record.image for record in reading.records} >= {f"train/{NFC}/1", f"train/{NFD}/2", f"test/{NFD} /3"}
    assert reading.lines()[0].startswith(f"2 classes: {NFC} (3 files in test/{NFD} , train/")


def test_empty_class_folders_are_classes_and_change_the_state(tmp_path: Path) -> None:
    source, digests = FolderSource(make(tmp_path / "root", "a/1.jpg", "b/1.jpg")), Digests(tmp_path / "memory")
    before = source.state(digests)
    make(tmp_path / "root", "c/", "d/Thumbs.db")
    assert source.read().counts() == {"a": 1, "b": 1, "c": 0, "d": 0}
    assert source.state(digests) != before


def test_many_classes_are_shortened(tmp_path: Path) -> None:
    reading = read(tmp_path / "root", *(f"{number:03}/1.jpg" for number in range(100)))
    assert reading.lines()[0].startswith("100 classes: 000 (1 file in 000), 001 ")
    assert reading.lines()[0].endswith(", and 88 more")


def test_names_that_do_not_print_are_escaped_in_messages(tmp_path: Path) -> None:
    reading = read(tmp_path / "root", "a\nb/1.jpg", "c\x1b[31m/1.jpg")
    assert set(reading.counts()) == {"a\nb", "c\x1b[31m"}
    assert all(line.isprintable() for line in reading.lines())


SPLITS = ("train", "test", "val", "eval", "seg_train", "seg_test", "unlabelled")
WORDS = st.sampled_from((*SPLITS, "a", "b", "images", "labels", "masks", "data", "@eaDir"))
FILES = st.lists(WORDS, max_size=4).map(lambda folders: "/".join([*folders, "1.jpg"]))


@settings(max_examples=60, deadline=None)
@given(st.sets(FILES, min_size=1, max_size=8))
def test_every_file_is_a_picture_or_told_to_be_left_out(names: set[str]) -> None:
    with TemporaryDirectory() as root:
        try:
            reading = read(Path(root), *names)
        except DataError:
            return
    taken = {record.image for record in reading.records}
    assert len(taken) == len(reading.records)
    for name in names - taken:
        folders = [parent.as_posix() for parent in Path(name).parents]
        own = "1 file" if folders[0] == "." else f"1 file in {folders[0]}"
        assert own in reading.left_out or "@eaDir" in name or reading.left_out.keys() & set(folders), name
