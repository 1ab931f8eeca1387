"""Which trial of a study is used, and what its score is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from frostline.data.arrays import Labels
from frostline.errors import SearchError
from frostline.search.study import NUMBER, REASON, STANDARD_ERROR, finished_trials
from frostline.search.trials import answers_of, settings_of
from frostline.statistics.chosen import score_of_chosen
from frostline.statistics.interval import Interval
from frostline.statistics.standard_error import one_standard_error_below
from frostline.training.settings import TrialSettings

__all__ = ["Selection"]


@dataclass(frozen=True, eq=False)
class Selection:
    """A study's complete trials, by number, and the places of those that stand for what the guide recommends.

    Of the trials within a standard error of the highest score (see statistics.standard_error) the guide's best is used,
    which nothing has then beaten; else the one that trains the fewest blocks, then keeps the fewest, then scores
    highest.
    """

    trials: tuple[FrozenTrial, ...]
    recommended: tuple[int, ...] = ()

    @classmethod
    def of(cls, study: optuna.Study, first: Sequence[str] = (), recommended: Sequence[str] = ()) -> Self:
        """The selection from `study`, which began with the strategies `first`, where the guide has `recommended` some.

        Raises SearchError, with the reasons, if no trial is complete.
        """
        finished = finished_trials(study)
        trials = tuple(trial for trial in finished if trial.state == TrialState.COMPLETE)
        if not trials:
            reasons = {trial.user_attrs.get(REASON, trial.state.name.lower()) for trial in finished}
            raise SearchError(
                f"Study {study.study_name} has no complete trial. Its trials ended so: {'; '.join(reasons)}."
            )
        numbers = {number for number, strategy in enumerate(first, start=1) if strategy in recommended}
        return cls(trials, tuple(place for place, trial in enumerate(trials) if trial.user_attrs[NUMBER] in numbers))

    @property
    def winner(self) -> FrozenTrial:
        """The trial to use."""
        return self.trials[self._winner(self._scores)]

    @property
    def guide(self) -> FrozenTrial | None:
        """The highest of the recommended trials, of equals the first by number; None if none was completed."""
        place = self._guide(self._scores)
        return None if place is None else self.trials[place]

    def corrected_score(self, labels: Labels, groups: NDArray[Any], seed: int) -> Interval:
        """The winner's balanced accuracy, corrected for its having been chosen: see statistics.chosen.

        `labels` and `groups` [N] are of the validation images, fold after fold.
        """
        right = np.stack([answers_of(trial, len(labels)) for trial in self.trials])
        return score_of_chosen(right, labels, groups, self._winner, seed)

    @property
    def _scores(self) -> list[float]:
        return [trial.values[0] for trial in self.trials]

    @cached_property
    def _settings(self) -> list[TrialSettings]:
        return [settings_of(trial) for trial in self.trials]

    def _guide(self, scores: Sequence[float]) -> int | None:
        return max(self.recommended, key=lambda place: (scores[place], -place), default=None)

    def _winner(self, scores: Sequence[float]) -> int:
        floor = one_standard_error_below(scores, [trial.user_attrs[STANDARD_ERROR] for trial in self.trials])
        guide = self._guide(scores)
        if guide is not None and scores[guide] >= floor:
            return guide
        return min(
            (place for place, score in enumerate(scores) if score >= floor),
            key=lambda place: (self._settings[place].thaw, self._settings[place].keep, -scores[place]),
        )
