import numpy as np
import pandas as pd
import pytest

from frostline.evaluation.slices import slices

LABELS = np.array([0, 0, 1, 1, 1, 0])
PROBABILITIES = np.eye(2)[[0, 1, 1, 1, 0, 0]]


def index(**extra: object) -> pd.DataFrame:
    own = dict.fromkeys(("image", "label", "split", "sha256"), "x")
    return pd.DataFrame(own | {"group": list("abcdef"), "width": 1, "height": 1} | extra, index=range(6))


def test_a_slice_has_its_images_metrics_and_an_exact_interval():
    found = slices(index(cell_type=["mono", "mono", "mono", "poly", "poly", "poly"]), LABELS, PROBABILITIES)
    assert list(found) == ["cell_type"]
    mono = found["cell_type"]["mono"]
    assert (mono["images"], mono["accuracy"], mono["balanced_accuracy"]) == (3, pytest.approx(2 / 3), 0.75)
    assert mono["accuracy_low"] == pytest.approx(0.0943, abs=1e-4)
    assert mono["accuracy_high"] == pytest.approx(0.9916, abs=1e-4)
    assert sum(part["images"] for part in found["cell_type"].values()) == 6


def test_near_duplicates_make_a_slice_no_surer():
    kind = ["mono"] * 3 + ["poly"] * 3
    single, grouped = (
        slices(index(cell_type=kind, group=list(groups)), LABELS, np.eye(2)[LABELS])["cell_type"]["mono"]
        for groups in ("abcdef", "aaadef")
    )
    assert grouped["accuracy"] == single["accuracy"]
    assert grouped["accuracy_low"] < single["accuracy_low"]


def test_columns_that_divide_nothing_or_too_much_are_left_out():
    columns = {"same": "a", "each": [f"{n}" for n in range(6)], "camera": ["a", "b"] * 3}
    assert list(slices(index(**columns), LABELS, PROBABILITIES)) == ["each", "camera"]
    many = pd.concat([index(serial=[f"{part}{n}" for n in range(6)]) for part in range(3)])
    assert slices(many, np.tile(LABELS, 3), np.tile(PROBABILITIES, (3, 1))) == {}


def test_a_column_that_the_source_calls_like_an_own_one_keeps_its_name():
    assert list(slices(index(**{"source.width": ["a", "b"] * 3}), LABELS, PROBABILITIES)) == ["width"]


def test_the_manifests_own_columns_are_no_slices():
    assert slices(index(), LABELS, PROBABILITIES) == {}
