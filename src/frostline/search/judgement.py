"""What the images that validated a trial say of it, as if all of the cell's had."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from frostline.search.trials import answers, merits
from frostline.statistics.brier import merit
from frostline.statistics.judged import ALIKE, balanced_means, error_of_balanced_mean
from frostline.training.cell import Cell
from frostline.training.trial import Validation

__all__ = ["Judgement"]


@dataclass(frozen=True)
class Judgement:
    """A trial's balanced accuracy, in [0, 1], its standard error, and its Brier score, by which trials are compared."""

    score: float
    standard_error: float
    brier: float

    @classmethod
    def of(cls, validation: Validation, finished: Sequence[FrozenTrial], cell: Cell) -> Self:
        """Of a trial that some folds of `cell` alone judged as well, by the `finished` ones that all folds judged."""
        rows = cell.validation_rows
        labels, groups = cell.packed.labels[rows], cell.packed.index["group"].to_numpy(dtype=str)[rows]
        complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]

        def judged(others: NDArray[np.float32], own: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float32], float]:
            row = np.full((1, len(rows)), np.nan, dtype=np.float32)
            row[0, : len(own)] = own
            known = np.concatenate([others, row])
            return known, float(balanced_means(known, labels, np.ones((1, len(rows))), ALIKE)[0, -1])

        correct, score = judged(answers(complete, len(rows)), validation.correct)
        _, mean = judged(merits(complete, len(rows)), merit(validation.certainty))
        error = error_of_balanced_mean(correct, len(complete), labels, groups, ALIKE)
        return cls(score, error, 1 - mean)
