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
from frostline.search.trials import (
    CORRECT,
    NUMBER,
    REASON,
    SETTLED,
    answers,
    by_image,
    finished_trials,
    merits,
    score_of,
)
from frostline.statistics.chosen import score_of_chosen
from frostline.statistics.interval import Interval
from frostline.statistics.judged import ALIKE, balanced_means, is_judged
from frostline.statistics.standard_error import paired_standard_error

__all__ = ["Selection"]


@dataclass(frozen=True, eq=False)
class Selection:
    """A study's complete trials, by number, and the images that validated them.

    `labels` and `groups` [N] are theirs, fold after fold; `recommended` are the places of the trials that stand for
    what the guide recommends, of those that were trained to their end and judged by all images; `begun` are the others
    that were trained. Of the trials that the images show to be better than the best of the recommended ones, whose
    difference from it, image by image, exceeds its own standard error, the one with the lowest Brier score is used (see
    statistics.brier); the recommended one where there is none such.
    """

    trials: tuple[FrozenTrial, ...]
    labels: Labels
    groups: NDArray[Any]
    recommended: tuple[int, ...] = ()
    begun: tuple[FrozenTrial, ...] = ()

    @classmethod
    def of(cls, study: optuna.Study, labels: Labels, groups: NDArray[Any], recommended: Sequence[str] = ()) -> Self:
        """The selection from `study`: see `among`. Raises SearchError, with the reasons, if no trial is complete."""
        finished = finished_trials(study)
        if not any(trial.state == TrialState.COMPLETE for trial in finished):
            reasons = {trial.user_attrs.get(REASON, trial.state.name.lower()) for trial in finished}
            raise SearchError(
                f"Study {study.study_name} has no complete trial. Its trials ended so: {'; '.join(reasons)}."
            )
        return cls.among(finished, labels, groups, recommended)

    @classmethod
    def among(
        cls, finished: Sequence[FrozenTrial], labels: Labels, groups: NDArray[Any], recommended: Sequence[str] = ()
    ) -> Self:
        """The selection from `finished` trials, by number, where the guide has `recommended` some strategies.

        Of each strategy the first trial stands for it.
        """
        trials = tuple(trial for trial in finished if trial.state == TrialState.COMPLETE)
        first = {trial.user_attrs["strategy"]: trial.user_attrs[NUMBER] for trial in reversed(finished)}
        numbers = {first[strategy] for strategy in recommended if strategy in first}
        wanted = [trial for trial in finished if trial.user_attrs[NUMBER] in numbers and trial.user_attrs["history"]]
        whole = {trial.user_attrs[NUMBER] for trial in wanted if _is_whole(trial, len(labels))}
        places = tuple(place for place, trial in enumerate(trials) if trial.user_attrs[NUMBER] in whole)
        begun = tuple(trial for trial in wanted if trial.user_attrs[NUMBER] not in whole)
        return cls(trials, labels, groups, places, begun)

    @property
    def winner(self) -> FrozenTrial:
        """The trial to use."""
        return self.trials[self._choose(self._once)[0]]

    @property
    def guide(self) -> FrozenTrial | None:
        """The best of the recommended trials, of equals the first by number; None if none was trained.

        Where none was trained to its end, one is taken that was begun, by what it reached: dear trials end before their
        time, and what following the guide would have given is asked all the same.
        """
        place = self._guide(self._means(self._once)[0])
        if place is not None:
            return self.trials[place]
        return max(self.begun, key=score_of, default=None)

    def corrected_score(self, seed: int, test_labels: Labels) -> Interval:
        """The winner's balanced accuracy, corrected for its having been chosen: see statistics.chosen.

        Its interval says where the score on a test split of classes `test_labels` lies.
        """
        correct = answers(self.trials, len(self.labels))
        return score_of_chosen(correct, self.labels, self.groups, self._choose, seed, test_labels)

    @property
    def _once(self) -> NDArray[np.int64]:
        """The sample that has every image once."""
        return np.ones((1, len(self.labels)), dtype=np.int64)

    @cached_property
    def _merits(self) -> NDArray[np.float32]:
        return merits(self.trials, len(self.labels))

    @cached_property
    def _margins(self) -> dict[int, list[float]]:
        """By the place of a recommended trial, the standard error of every trial's difference from it."""
        everywhere = range(len(self.trials))
        return {guide: [self._error(place, guide) for place in everywhere] for guide in self.recommended}

    def _error(self, place: int, other: int) -> float:
        difference = self._merits[place] - self._merits[other]
        both = is_judged(difference)
        return paired_standard_error(difference[both], self.labels[both], self.groups[both])

    def _means(self, times: NDArray[Any]) -> list[list[float]]:
        """Each trial's mean merit, 1 less its Brier score, on each of R samples that have an image so many `times`.

        `times` is [R, N]; 0 of a trial that no image of a sample has judged.
        """
        means: list[list[float]] = np.nan_to_num(balanced_means(self._merits, self.labels, times, ALIKE)).tolist()
        return means

    def _choose(self, times: NDArray[Any]) -> list[int]:
        """The place of the trial to use by each of R samples of the images."""
        return [self._winner(means) for means in self._means(times)]

    def _guide(self, means: Sequence[float]) -> int | None:
        return max(self.recommended, key=lambda place: (means[place], -place), default=None)

    def _winner(self, means: Sequence[float]) -> int:
        guide, places = self._guide(means), list(range(len(means)))
        if guide is not None:
            margins = self._margins[guide]
            places = [place for place in places if means[place] - means[guide] > margins[place]] or [guide]
        return max(places, key=lambda place: (means[place], -place))


def _is_whole(trial: FrozenTrial, images: int) -> bool:
    """Whether it was trained to its end, and all of so many images judged it."""
    complete = trial.state == TrialState.COMPLETE and trial.user_attrs.get(SETTLED, True)
    return complete and len(by_image(trial, CORRECT)) == images
