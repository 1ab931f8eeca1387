"""Who trains, who validates, who tests: seeded, stratified, by content and never by file order.

A group (near duplicates, or what the source says belongs together) is never divided between two sides.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.config.schema import TrainConfig
from frostline.config.types import PerClass
from frostline.data.arrays import Rows
from frostline.errors import DataError

__all__ = ["Folds", "assign_splits", "cell_rows", "cross_folds", "validation_splits"]

Folds = tuple[tuple[Rows, Rows], ...]
"""Pairs of (training rows, validation rows): one is a hold-out, k are k-fold cross-validation."""


def assign_splits(
    labels: Sequence[str], groups: Sequence[str], given: Sequence[str | None], *, test_fraction: float, seed: int
) -> list[str]:
    """The split of each image: train, val or test.

    What the source gave is honoured. Only if it names no test images, `test_fraction` of each class is drawn from
    those that are not for validation. `given` must not divide a group.

    Images 3 and 4 are near duplicates:

    >>> assign_splits(["crack"] * 4, ["1", "2", "3", "3"], [None] * 4, test_fraction=0.25, seed=1)
    ['train', 'test', 'train', 'train']
    """
    splits = [split or "train" for split in given]
    if "test" not in given:
        candidates = np.flatnonzero(np.array(splits) == "train")
        drawn = _draw(np.asarray(labels)[candidates], np.asarray(groups)[candidates], test_fraction, f"test:{seed}")
        for row in candidates[drawn]:
            splits[row] = "test"
    return splits


def cell_rows(index: pd.DataFrame, per_class: PerClass, seed: int) -> Rows:
    """Row numbers, int64, of a cell's images: of each class at most `per_class`, or `all`, of train and val.

    A cell is its data set in small: it has images of both splits in the proportion that the source has, one of each at
    least where there are any and `per_class` is not 1. In seeded order. A smaller cell is a subset of a larger one.
    """
    ranked = pd.DataFrame(
        {
            "row": np.arange(len(index)),
            "label": index["label"].to_numpy(),
            "split": index["split"].to_numpy(),
            "rank": [_rank(seed, sha256) for sha256 in index["sha256"]],
        }
    )
    ranked = ranked[ranked["split"] != "test"].sort_values("rank")
    side = ranked.groupby(["label", "split"])["row"]
    first, share = side.cumcount() == 0, (side.cumcount() + 0.5) / side.transform("size")
    # Each side's first, then both in step: every beginning of a class has them in proportion.
    ranked = ranked.assign(turn=share.mask(first, 0.0)).sort_values(["turn", "split"], kind="stable")
    chosen = ranked if per_class == "all" else ranked.groupby("label", sort=False).head(per_class)
    return chosen.sort_values("rank")["row"].to_numpy(np.int64)


def validation_splits(index: pd.DataFrame, rows: Rows, train: TrainConfig, seed: int) -> tuple[Folds, ...]:
    """The draws of folds by which a cell of `rows` of `index` is validated: stratified, and by whole groups.

    If the source gave validation images, the cell's are its one validation set. Otherwise a cell of at most
    `train.folds_up_to` images is divided into `train.folds` folds (fewer where a class has fewer groups), one of at
    most `train.repeats_up_to` images `train.repeats` times: in each draw each row validates once. Draws differ, so that
    there are fewer where groups can be divided in fewer ways. A larger cell has a hold-out of
    `train.validation_fraction`.

    Raises:
        DataError: a class has too few groups for both sides to show it, or a cell with given validation images has
            none of them, or nothing else.
    """
    if (index["split"] == "val").any():
        held = (index["split"] == "val").to_numpy()[rows]
        if held.all() or not held.any():
            lacking = "no other to train on" if held.all() else "none of them"
            raise DataError(
                f"The source names validation images, but this cell of {len(rows)} images has {lacking}. Raise the "
                "size in params.yaml to 2 or more images a class, or let the source name both train and val."
            )
        return (((rows[~held], rows[held]),),)
    labels, groups = index["label"].to_numpy()[rows], index["group"].to_numpy()[rows]
    groups_per_class = pd.Series(groups).groupby(labels).nunique()
    if groups_per_class.min() < 2:
        raise DataError(
            f"Class '{groups_per_class.idxmin()}' has one group of near duplicates in this cell of {len(rows)} images, "
            "so it cannot both train and validate. Raise the size in params.yaml, or lower prepare.near_duplicate_bits."
        )
    if len(rows) > train.folds_up_to:
        draws = [[_draw(labels, groups, train.validation_fraction, f"holdout:{seed}")]]
    else:
        repeats = train.repeats if len(rows) <= train.repeats_up_to else 1
        draws = _folds(labels, groups, min(train.folds, int(groups_per_class.min())), repeats, seed)
    return tuple(tuple((rows[~held], rows[held]) for held in draw) for draw in draws)


def cross_folds(index: pd.DataFrame, rows: Rows, folds: int, repeats: int, seed: int) -> tuple[Folds, ...]:
    """Draws of folds in which each of `rows` of `index` is held out once, whatever their number and splits.

    Images of a class that has one group alone could not be held out and trained on: they are in no fold.
    """
    labels, groups = index["label"].to_numpy()[rows], index["group"].to_numpy()[rows]
    counts = pd.Series(groups).groupby(labels).transform("nunique").to_numpy()
    some = counts > 1
    if not some.any():
        return ()
    rows, draws = rows[some], _folds(labels[some], groups[some], min(folds, int(counts[some].min())), repeats, seed)
    return tuple(tuple((rows[~held], rows[held]) for held in draw) for draw in draws)


def _folds(
    labels: NDArray[np.object_], groups: NDArray[np.object_], folds: int, repeats: int, seed: int
) -> list[list[NDArray[np.bool_]]]:
    """Masks, bool [N], of what each of so many folds holds out, in at most so many draws."""
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.utils import check_random_state

    # One generator for all draws: splitting again draws again, and the first draw is that of the seed alone.
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=check_random_state(seed))
    draws: dict[frozenset[bytes], list[NDArray[np.bool_]]] = {}
    for _ in range(repeats):
        held_out = np.zeros((folds, len(labels)), dtype=bool)
        for fold, (_, held) in zip(held_out, splitter.split(labels, labels, groups), strict=True):
            fold[held] = True
        draws.setdefault(frozenset(fold.tobytes() for fold in held_out), list(held_out))
    return list(draws.values())


def _draw(labels: NDArray[np.object_], groups: NDArray[np.object_], fraction: float, salt: str) -> NDArray[np.bool_]:
    """A mask, bool [N], of whole groups drawn in seeded order: of each class as near to `fraction` as they allow.

    Never more than the rounded share of a class, unless all its groups are larger: then its smallest one is drawn.
    """
    names, group_numbers = np.unique(groups.astype(str), return_inverse=True)
    classes, class_numbers = np.unique(labels.astype(str), return_inverse=True)
    counts = np.zeros((len(names), len(classes)), dtype=np.int64)
    np.add.at(counts, (group_numbers, class_numbers), 1)
    totals = counts.sum(axis=0)
    share = np.minimum(np.maximum(np.rint(fraction * totals).astype(np.int64), 1), totals - 1)
    ranks = np.array([_rank(salt, name) for name in names])
    drawn, taken = np.zeros(len(names), dtype=bool), np.zeros(len(classes), dtype=np.int64)
    for number in np.argsort(ranks):
        if np.all(taken + counts[number] <= share):
            drawn[number] = True
            taken += counts[number]
    for class_number in range(len(classes)):
        leaves_some = np.all((taken + counts < totals) | (counts == 0), axis=1)
        fitting = np.flatnonzero(leaves_some & (counts[:, class_number] > 0))
        if taken[class_number] == 0 and fitting.size:
            smallest = min(fitting, key=lambda number: (counts[number].sum(), ranks[number]))
            drawn[smallest] = True
            taken += counts[smallest]
    return drawn[group_numbers]


def _rank(salt: int | str, key: str) -> str:
    return hashlib.sha256(f"{salt}:{key}".encode()).hexdigest()
