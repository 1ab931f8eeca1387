"""A cell: one data set at one size, with the way it is validated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.config.schema import TrainConfig
from frostline.config.types import PerClass
from frostline.data.arrays import Rows
from frostline.data.packed import PackedImages
from frostline.data.splits import Folds, cell_rows, validation_splits
from frostline.provenance import fingerprint

__all__ = ["Cell", "make_cell"]


@dataclass(frozen=True)
class Cell:
    """`rows` of a packed data set that a study may train on, and the draws of folds that validate it, one at least.

    Every draw validates the same rows, each of them once. The test split is in none.
    """

    packed: PackedImages
    rows: Rows
    repeats: tuple[Folds, ...]

    @property
    def folds(self) -> Folds:
        """The (training rows, validation rows) pairs of the first draw: one for a hold-out."""
        return self.repeats[0]

    @property
    def validation_rows(self) -> Rows:
        """All validation rows, fold after fold of the first draw: the order of the answers of every draw."""
        return np.concatenate([validation for _, validation in self.folds])

    def places(self, draw: int) -> tuple[NDArray[np.int64], ...]:
        """Where in `validation_rows` each fold of a draw, counted from 0, has its validation rows."""
        rows = self.validation_rows
        order = np.argsort(rows)
        return tuple(order[np.searchsorted(rows, held, sorter=order)] for _, held in self.repeats[draw])

    def folds_of(self, images: int) -> int:
        """How many folds the first so many of `validation_rows` are of."""
        return int(np.searchsorted(np.cumsum([len(held) for _, held in self.folds]), images)) + 1

    @property
    def all_rows(self) -> Rows:
        """Training and validation rows together, for the refit."""
        return np.unique(np.concatenate([np.concatenate(pair) for pair in self.folds]))

    @property
    def training_images(self) -> int:
        """Images that one epoch trains on, summed over the folds of one draw."""
        return sum(len(training) for training, _ in self.folds)

    @property
    def folds_fingerprint(self) -> str:
        """What the rows of all draws' folds are found again by."""
        return fingerprint([[[part.tolist() for part in fold] for fold in draw] for draw in self.repeats])

    @property
    def scheme(self) -> str:
        """How it is validated, in words."""
        if len(self.folds) == 1:
            return "hold-out"
        times = f", {len(self.repeats)} times" if len(self.repeats) > 1 else ""
        return f"{len(self.folds)}-fold{times}"


def make_cell(packed: PackedImages, per_class: PerClass, train: TrainConfig, seed: int) -> Cell:
    """The cell of at most `per_class` images of each class of `packed`, or `all`, those that validate it among them."""
    rows = cell_rows(packed.index, per_class, seed)
    return Cell(packed, rows, validation_splits(packed.index, rows, train, seed))
