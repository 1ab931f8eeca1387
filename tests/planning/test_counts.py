"""What names of files tell of a cell is what it will have, once the files have been opened."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.config.schema import PrepareConfig, TrainConfig
from frostline.config.types import PerClass
from frostline.data.sources import Record
from frostline.data.splits import assign_splits, cell_rows, validation_splits
from frostline.planning.counts import counts_of

PREPARE = PrepareConfig()
SPLITS = {"none": [None], "test given": ["train", "train", "test"], "all given": ["train", "train", "val", "test"]}


def records_of(classes: dict[str, int], given_splits: list[str | None]) -> list[Record]:
    return [
        Record(f"{label}/{number}.png", label, given_splits[number % len(given_splits)])
        for label, count in classes.items()
        for number in range(count)
    ]


@pytest.mark.parametrize("name", SPLITS)
@given(
    counts=st.lists(st.integers(20, 90), min_size=2, max_size=3),
    per_class=st.one_of(st.just("all"), st.integers(8, 100)),
    bounds=st.sampled_from([(500, 5000), (0, 5000), (0, 0)]),
)
@settings(max_examples=15, deadline=None)
def test_a_cell_has_the_size_that_was_told(
    name: str, counts: list[int], per_class: PerClass, bounds: tuple[int, int]
) -> None:
    records = records_of({f"class {number}": count for number, count in enumerate(counts)}, SPLITS[name])
    train = TrainConfig(repeats_up_to=bounds[0], folds_up_to=bounds[1])
    told = counts_of(records, PREPARE)

    labels, names = [record.label for record in records], [record.image for record in records]
    splits = assign_splits(labels, names, [record.split for record in records], test_fraction=0.25, seed=20)
    index = pd.DataFrame({"label": labels, "split": splits, "group": names, "sha256": names})
    rows = cell_rows(index, per_class, 20)
    draws = validation_splits(index, rows, train, 20)
    size = told.cell(per_class, train)

    assert told.test == splits.count("test")
    assert told.images == len(records)
    assert (size.folds, size.repeats) == (len(draws[0]), len(draws))
    assert size.images == pytest.approx(len(rows) if len(draws[0]) > 1 else sum(map(len, draws[0][0])), abs=len(counts))
    assert size.trained == pytest.approx(len(draws[0][0][0]), abs=3 + 2 * len(counts))


@pytest.mark.parametrize(
    ("classes", "splits", "per_class"),
    [
        ({"a": 40, "b": 40}, ["test"], "all"),
        ({"a": 1, "b": 1}, [None], 1),
        ({"a": 100, "b": 100}, ["train", *["val"] * 9], 1),
        ({"a": 3}, [None], "all"),
    ],
)
def test_so_few_that_nobody_can_train_on_them_are_counted_all_the_same(
    classes: dict[str, int], splits: list[str | None], per_class: PerClass
) -> None:
    for train in (TrainConfig(), TrainConfig(folds_up_to=0)):
        size = counts_of(records_of(classes, splits), PREPARE).cell(per_class, train)
        assert size.trained >= 1
        assert size.validating >= 0
