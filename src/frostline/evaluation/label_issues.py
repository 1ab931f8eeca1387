"""Training images whose label is probably wrong, by a head that was fitted to the other images."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.special import softmax

from frostline.config.schema import TrainConfig
from frostline.data.arrays import Probabilities, Rows
from frostline.data.packed import PackedImages
from frostline.data.splits import cross_folds
from frostline.statistics.confident import doubts
from frostline.training.cell import Cell
from frostline.training.heads import Heads
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup

__all__ = ["LabelIssues", "find_label_issues", "held_out_cell", "out_of_fold"]

_FOLDS = 5
_COLUMNS = ["image", "label", "likelier", "probability_label", "probability_likelier", "correct"]


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """The doubtful labels among the images that were `looked_at`, the most doubtful first.

    `table` has image, label, likelier, probability_label, probability_likelier, and an empty column correct for a
    person to fill in. `rows` [n] are theirs in the packed data set.
    """

    looked_at: int
    table: pd.DataFrame
    rows: Rows

    @classmethod
    def none(cls) -> Self:
        """Where nothing could be looked at."""
        return cls(0, pd.DataFrame(columns=_COLUMNS, dtype=str), np.empty(0, dtype=np.int64))

    @property
    def pairs(self) -> dict[str, int]:
        """How many labels of each kind are doubtful, as in `cat, likelier dog`; the most frequent first."""
        kinds = self.table["label"] + ", likelier " + self.table["likelier"]
        return dict(Counter(kinds.tolist()).most_common())


def held_out_cell(packed: PackedImages, rows: Rows, train: TrainConfig, seed: int) -> Cell | None:
    """A cell in which each of `rows` is held out, in one of five folds.

    As in validation that is done `train.repeats` times, with other folds, where there are at most
    `train.repeats_up_to` images. None where fewer than two classes have images that could be held out: all of the
    others are near duplicates of one another.
    """
    draws = train.repeats if len(rows) <= train.repeats_up_to else 1
    folds = cross_folds(packed.index, rows, _FOLDS, draws, seed)
    if not folds:
        return None
    cell = Cell(packed, rows, folds)
    return cell if len(np.unique(packed.labels[cell.validation_rows])) > 1 else None


def out_of_fold(setup: Setup, settings: TrialSettings) -> Probabilities:
    """What the head of `settings`, on blocks that are all frozen, says of each validation row of the cell of `setup`.

    The mean, over draws, of the calibrated class probabilities [N, K] of a head that was fitted to images of other
    groups.
    """
    scores = Heads(setup).scores(settings)
    probabilities: Probabilities = softmax(scores.logits.astype(np.float64) / scores.temperature, axis=2).mean(axis=0)
    return probabilities


def find_label_issues(setup: Setup, settings: TrialSettings, known: Collection[str] = ()) -> LabelIssues:
    """Ask the head of `settings` about every image of the cell of `setup`.

    Images named in `known` were looked at by a person before, and are not listed.
    """
    packed, rows = setup.cell.packed, setup.cell.validation_rows
    probabilities = out_of_fold(setup, settings)
    found = doubts(probabilities, packed.labels[rows])
    images = packed.index["image"].to_numpy(dtype=str)[rows]
    places = found.ranking
    places = places[~np.isin(images[places], list(known))]
    names, labels = np.array(packed.classes, dtype=str), packed.labels[rows[places]]
    table = pd.DataFrame(
        {
            "image": images[places],
            "label": names[labels],
            "likelier": names[found.likelier[places]],
            "probability_label": probabilities[places, labels],
            "probability_likelier": probabilities[places, found.likelier[places]],
            "correct": "",
        },
        columns=_COLUMNS,
    )
    return LabelIssues(len(rows), table, rows[places])
