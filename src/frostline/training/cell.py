"""A cell: one data set at one size, with the way it is validated."""

from dataclasses import dataclass

import numpy as np

from frostline.config.schema import TrainConfig
from frostline.data.arrays import Rows
from frostline.data.packed import PackedImages
from frostline.data.splits import cell_rows, validation_splits
from frostline.provenance import fingerprint

__all__ = ["Cell", "make_cell"]


@dataclass(frozen=True)
class Cell:
    """`rows` of a packed data set that a study may train on, and its (training rows, validation rows) pairs.

    A hold-out is one pair, k-fold cross-validation k of them. The test split is in none.
    """

    packed: PackedImages
    rows: Rows
    folds: tuple[tuple[Rows, Rows], ...]

    @property
    def validation_rows(self) -> Rows:
        """All validation rows, fold after fold."""
        return np.concatenate([validation for _, validation in self.folds])

    @property
    def all_rows(self) -> Rows:
        """Training and validation rows together, for the refit."""
        return np.unique(np.concatenate([np.concatenate(pair) for pair in self.folds]))

    @property
    def training_images(self) -> int:
        """Images that one epoch trains on, summed over folds."""
        return sum(len(training) for training, _ in self.folds)

    @property
    def folds_fingerprint(self) -> str:
        """What the folds' rows are found again by."""
        return fingerprint([[part.tolist() for part in fold] for fold in self.folds])

    @property
    def scheme(self) -> str:
        """How it is validated, in words."""
        return "hold-out" if len(self.folds) == 1 else f"{len(self.folds)}-fold"


def make_cell(packed: PackedImages, per_class: int, train: TrainConfig, seed: int) -> Cell:
    """The cell of at most `per_class` images of each class of `packed`, those that validate it among them."""
    rows = cell_rows(packed.index, per_class, seed)
    folds = validation_splits(
        packed.index,
        rows,
        seed=seed,
        folds=train.folds,
        folds_up_to=train.folds_up_to,
        validation_fraction=train.validation_fraction,
    )
    return Cell(packed, rows, tuple(folds))
