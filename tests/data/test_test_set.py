from pathlib import Path

import pandas as pd
import pytest

from frostline.data.sources.folder import FolderSource
from frostline.data.test_set import read_test_set
from frostline.errors import DataError


@pytest.fixture
def prepared(tmp_path) -> Path:
    rows = [
        {"image": f"{label}/{n}.png", "label": label, "split": split, "group": f"g{n}", "sha256": f"{label}{n}"}
        for n, (label, split) in enumerate([("cat", "train"), ("dog", "test"), ("cat", "test"), ("owl", "train")])
    ]
    pd.DataFrame(rows).assign(width=1, height=1).to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path


def test_the_test_split_as_files_with_numbers_into_all_classes(prepared):
    test_set = read_test_set(prepared, FolderSource(Path("pictures")))
    assert test_set.paths == (Path("pictures/dog/1.png"), Path("pictures/cat/2.png"))
    assert test_set.classes == ("cat", "dog", "owl")
    assert test_set.labels.tolist() == [1, 0]
    assert test_set.groups.tolist() == ["g1", "g2"]


def test_images_are_left_out_by_content(prepared):
    left = read_test_set(prepared, FolderSource(Path("pictures"))).without(frozenset({"dog1", "cat0"}))
    assert (left.paths, left.labels.tolist(), left.sha256) == ((Path("pictures/cat/2.png"),), [0], ("cat2",))


def test_near_copies_of_what_was_trained_on_are_left_out_after_another_split(prepared):
    file = prepared / "manifest.csv"
    file.write_text(file.read_text().replace(",g0,", ",g2,"))  # cat/0, in training now, is a near copy of cat/2
    test_set = read_test_set(prepared, FolderSource(Path("pictures")))
    assert test_set.without(frozenset({"cat0"})).sha256 == ("dog1",)
    assert test_set.without(frozenset({"owl3", "gone from the data set"})).sha256 == ("dog1", "cat2")


def test_a_data_set_without_test_images_is_an_error(prepared):
    file = prepared / "manifest.csv"
    file.write_text(file.read_text().replace(",test,", ",train,"))
    with pytest.raises(DataError, match=r"has no test images: raise prepare.test_fraction"):
        read_test_set(prepared, FolderSource(Path("pictures")))
