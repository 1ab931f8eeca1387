import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.config.load import load_config
from frostline.data.arrays import Rows
from frostline.data.splits import Folds, assign_splits, cell_rows, cross_folds, validation_splits
from frostline.errors import DataError

SETTINGS = settings(max_examples=60, deadline=None)
TRAIN = load_config(Path(__file__).parents[2] / "params.yaml").train


def table(groups: list[tuple[str, int]]) -> pd.DataFrame:
    """An index with a group per (label, size), all in split train."""
    rows = [(label, f"g{number}") for number, (label, size) in enumerate(groups) for _ in range(size)]
    index = pd.DataFrame(rows, columns=["label", "group"], dtype=str)
    index["sha256"] = [hashlib.sha256(str(row).encode()).hexdigest() for row in range(len(index))]
    return index.assign(split="train")


indexes = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=12, max_size=60).map(
    lambda groups: table([("a", 1), ("a", 1), ("b", 1), ("b", 1), *groups])
)


def split(index: pd.DataFrame, seed: int = 1, fraction: float = 0.25) -> pd.Series:
    found = assign_splits(
        index["label"].tolist(), index["group"].tolist(), [None] * len(index), test_fraction=fraction, seed=seed
    )
    return pd.Series(found, index=index.index)


@SETTINGS
@given(indexes, st.randoms(use_true_random=False), st.integers(0, 99))
def test_splits_ignore_order(index: pd.DataFrame, random, seed: int) -> None:  # type: ignore[no-untyped-def]
    order = list(index.index)
    random.shuffle(order)
    assert split(index, seed).equals(split(index.loc[order], seed).sort_index())


@SETTINGS
@given(indexes, st.floats(0.05, 0.9))
def test_splits_are_stratified_to_within_a_group(index: pd.DataFrame, fraction: float) -> None:
    test = split(index, fraction=fraction) == "test"
    for label, rows in index.groupby("label"):
        share = min(max(round(fraction * len(rows)), 1), len(rows) - 1)
        largest = rows.groupby("group").size().max()
        if rows["group"].nunique() > 1:
            assert abs(test[rows.index].sum() - share) < largest, label
            assert 0 < test[rows.index].sum() < len(rows)


@SETTINGS
@given(indexes)
def test_groups_of_mixed_labels_are_never_divided(index: pd.DataFrame) -> None:
    index["group"] = [f"g{number // 3}" for number in range(len(index))]
    assert split(index).groupby(index["group"]).nunique().max() == 1


def test_seed_changes_the_split() -> None:
    index = table([("a", 1)] * 40 + [("b", 1)] * 40)
    assert not split(index, 1).equals(split(index, 2))


def test_given_splits_are_honoured() -> None:
    given_splits = ["train", "val", "test", None]
    assert assign_splits(list("abab"), list("wxyz"), given_splits, test_fraction=0.5, seed=0) == [
        "train",
        "val",
        "test",
        "train",
    ]


def test_test_images_are_drawn_when_only_train_and_val_are_given() -> None:
    given_splits = ["train"] * 8 + ["val"] * 8
    found = assign_splits(list("ab" * 8), list("abcdefghijklmnop"), given_splits, test_fraction=0.25, seed=0)
    assert Counter(found[:8]) == {"train": 6, "test": 2}
    assert found[8:] == ["val"] * 8


@SETTINGS
@given(indexes, st.integers(1, 20), st.integers(0, 20), st.integers(0, 99))
def test_cells_are_nested_and_take_no_test_images(index: pd.DataFrame, few: int, more: int, seed: int) -> None:
    index["split"] = split(index)
    small, large = cell_rows(index, few, seed), cell_rows(index, few + more, seed)
    assert set(small) <= set(large)
    assert set(index["split"].iloc[large]) == {"train"}
    available = index[index["split"] == "train"]["label"].value_counts()
    assert Counter(index["label"].iloc[small]) == {label: min(few, count) for label, count in available.items()}


def with_val(train: int, val: int) -> pd.DataFrame:
    """Two classes of so many images for training and for validation, as a source names them."""
    index = table([("a", 1)] * (train + val) + [("b", 1)] * (train + val))
    return index.assign(split=(["train"] * train + ["val"] * val) * 2)


@SETTINGS
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70), st.integers(0, 50), st.integers(0, 99))
def test_a_size_bounds_training_and_validation_images_together(
    train: int, val: int, few: int, more: int, seed: int
) -> None:
    index = with_val(train, val)
    small, large = cell_rows(index, few, seed), cell_rows(index, few + more, seed)
    assert set(small) <= set(large)
    images = min(few, train + val)
    for _, drawn in index.iloc[small].groupby("label"):
        assert len(drawn) == images
        held = (drawn["split"] == "val").sum()
        assert abs(held - images * val / (train + val)) <= 1.5
        assert images == 1 or 0 < held < images


def test_a_small_cell_of_a_source_with_many_validation_images_is_small() -> None:
    index = with_val(800, 200)
    rows = cell_rows(index, 50, 1)
    [[(train, held)]] = validation_splits(index, rows, TRAIN, seed=1)
    assert (len(rows), len(train), len(held)) == (100, 80, 20)
    assert sorted([*train, *held]) == sorted(rows)


def test_rows_without_given_validation_images_are_the_first_of_each_class_in_seeded_order() -> None:
    """As they were before sources' own validation images were bounded: studies of such data sets stay what they are."""
    index = table([("a", 1)] * 9 + [("b", 1)] * 9)
    order = sorted(range(18), key=lambda row: hashlib.sha256(f"7:{index['sha256'][row]}".encode()).hexdigest())
    first = [row for row in order if row in [each for each in order if each < 9][:4]]
    second = [row for row in order if row in [each for each in order if each >= 9][:4]]
    assert cell_rows(index, 4, 7).tolist() == [row for row in order if row in first + second]


@pytest.mark.parametrize(
    ("splits", "per_class", "lacking"),
    [(["train", "val"], 1, "none of them"), (["val", "val"], 5, "no other to train on")],
)
def test_a_cell_that_shows_one_side_alone_says_what_to_raise(splits: list[str], per_class: int, lacking: str) -> None:
    index = table([("a", 1), ("b", 1)] * 10).assign(split=[splits[row // 2 % 2] for row in range(20)])
    rows = cell_rows(index, per_class, 1)
    with pytest.raises(DataError, match=rf"has {lacking}\. Raise the size in params.yaml to 2"):
        validation_splits(index, rows, TRAIN, seed=1)


@SETTINGS
@given(indexes, st.randoms(use_true_random=False))
def test_cells_ignore_order(index: pd.DataFrame, random) -> None:  # type: ignore[no-untyped-def]
    order = list(index.index)
    random.shuffle(order)
    shuffled = index.loc[order]
    chosen = [frame["sha256"].iloc[cell_rows(frame, 5, 7)].tolist() for frame in (index, shuffled)]
    assert chosen[0] == chosen[1]


def validate(index: pd.DataFrame, per_class: int = 100, seed: int = 3, **train: int) -> tuple[Rows, tuple[Folds, ...]]:
    rows = cell_rows(index, per_class, seed)
    return rows, validation_splits(index, rows, TRAIN.model_copy(update=train), seed)


@SETTINGS
@given(indexes, st.integers(2, 6), st.integers(1, 4))
def test_each_draw_of_folds_partitions_the_cell_by_whole_groups(index: pd.DataFrame, folds: int, repeats: int) -> None:
    index = index[index["label"] != "c"]
    rows, draws = validate(index, folds=folds, repeats=repeats)
    assert 1 <= len(draws) <= repeats
    for pairs in draws:
        assert 2 <= len(pairs) == len(draws[0]) <= folds
        assert sorted(np.concatenate([held for _, held in pairs])) == sorted(rows)
        for train, held in pairs:
            assert len(held)
            assert sorted([*train, *held]) == sorted(rows)
            assert not set(index["group"].iloc[train]) & set(index["group"].iloc[held])
            assert set(index["label"].iloc[train]) == {"a", "b"}
    assert len({frozenset(tuple(sorted(held)) for _, held in pairs) for pairs in draws}) == len(draws)


def test_more_draws_leave_the_first_ones_as_they_are() -> None:
    index = table([("a", 1)] * 40 + [("b", 1)] * 40)
    (_, one), (_, three), (_, other) = (validate(index, repeats=1), validate(index), validate(index, seed=4))
    assert (len(one), len(three), len(other)) == (1, 3, 3)
    assert_same(one, three[:1])
    with pytest.raises(AssertionError):
        assert_same(three, other)


def assert_same(some: tuple[Folds, ...], others: tuple[Folds, ...]) -> None:
    for one, other in zip(some, others, strict=True):
        for pair, same in zip(one, other, strict=True):
            for part, again in zip(pair, same, strict=True):
                np.testing.assert_array_equal(part, again)


def test_groups_that_can_be_divided_in_one_way_are_drawn_once() -> None:
    _, draws = validate(table([("a", 5), ("a", 1), ("b", 4), ("b", 2)]))
    assert [len(pairs) for pairs in draws] == [2]


@pytest.mark.parametrize(
    ("images", "draws", "folds"), [(100, 3, 5), (243, 3, 5), (500, 3, 5), (501, 1, 5), (5000, 1, 5), (5001, 1, 1)]
)
def test_by_the_committed_values_every_image_validates_unless_images_abound(
    images: int, draws: int, folds: int
) -> None:
    """A cell of 243 images was judged by 48 of them."""
    index = table([("a", 1)] * (images // 3) + [("b", 1)] * (images - images // 3))
    rows, found = validate(index, per_class=images)
    assert (len(rows), len(found), {len(pairs) for pairs in found}) == (images, draws, {folds})
    for pairs in found:
        validating = [len(held) for _, held in pairs]
        assert sum(validating) == (images if folds > 1 else round(images * TRAIN.validation_fraction))
        assert max(validating) - min(validating) <= 2


def test_a_holdout_is_one_stratified_draw() -> None:
    index = table([("a", 2)] * 50 + [("b", 1)] * 50)
    rows, [[(train, held)]] = validate(index, folds_up_to=0)
    assert sorted([*train, *held]) == sorted(rows)
    assert Counter(index["label"].iloc[held]) == {"a": 20, "b": 10}
    assert not set(index["group"].iloc[train]) & set(index["group"].iloc[held])


def test_given_validation_images_are_the_one_validation_set() -> None:
    index = table([("a", 1), ("b", 1)] * 10)
    index.loc[:3, "split"] = "val"
    rows, [[(train, held)]] = validate(index)
    assert sorted([*train, *held]) == sorted(rows) == list(range(20))
    assert sorted(held) == [0, 1, 2, 3]


def test_class_of_one_group_cannot_be_validated() -> None:
    with pytest.raises(DataError, match="Class 'b' has one group"):
        validate(table([("a", 1)] * 9 + [("b", 9)]))


@SETTINGS
@given(indexes, st.integers(2, 6), st.integers(1, 3), st.integers(0, 99))
def test_cross_folds_hold_each_row_out_once_a_draw_and_divide_no_group(
    index: pd.DataFrame, folds: int, repeats: int, seed: int
) -> None:
    alone = table([("z", 3)]).assign(group="alone")  # a class of one group: in no fold
    index = pd.concat([index, alone], ignore_index=True).assign(split="val")
    rows = np.flatnonzero(index.groupby("label")["group"].transform("nunique") > 1).tolist()
    draws = cross_folds(index, np.arange(len(index))[::-1].copy(), folds, repeats, seed)
    assert 1 <= len(draws) <= repeats
    for draw in draws:
        assert 2 <= len(draw) <= folds
        assert sorted(np.concatenate([held for _, held in draw])) == rows
        for training, held in draw:
            assert not set(index["group"].iloc[training]) & set(index["group"].iloc[held])
            assert sorted([*training, *held]) == rows


def test_cross_folds_of_classes_with_one_group_each_are_none() -> None:
    assert cross_folds(table([("a", 3), ("b", 2)]), np.arange(5), 5, 1, seed=1) == ()
