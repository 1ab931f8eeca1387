"""The order of a study: heads in number, their ensemble, each depth group's first trial, then what the budget leaves.

Heads begin with the guide's; thawed trials with standard rates at each depth, the cheapest first, among them the
guide's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import BaseTrial, FixedTrial, FrozenTrial, TrialState

from frostline.config.effort import ACCELERATED
from frostline.config.schema import SearchConfig
from frostline.config.types import GUIDE, StrategyName
from frostline.runtime.devices import accelerators
from frostline.search.proposal import propose
from frostline.search.space import head_point, suggest_head, suggest_thawed, thawed_point
from frostline.search.trials import COST, NUMBER, brier_of, settings_of
from frostline.training.settings import TrialSettings, guide_depth

__all__ = ["Schedule"]

_ATTEMPTS = 20


@dataclass(frozen=True)
class Schedule:
    """What a study's trial of each number is, from 1, on a backbone of `depth` blocks.

    `cut` is how many of them the guide's `start_of_convnet` keeps, where a probe has said it. `accelerated` says that
    workers have accelerators, whatever this process sees.
    """

    config: SearchConfig
    depth: int
    cut: int | None
    accelerated: bool = False

    @property
    def trials(self) -> int:
        """How many there are at most: the budget of images may end a study before."""
        return self._ensemble + self.config.effort.thawed

    @property
    def strategies(self) -> tuple[StrategyName, ...]:
        """Those of the guide that it begins with."""
        wanted = GUIDE if self.config.strategies == "auto" else self.config.strategies
        return tuple(strategy for strategy in GUIDE if strategy in wanted)

    @property
    def images(self) -> float:
        """How many images all thawed trials together may train on, through every block or their like."""
        return self.config.effort.images * (ACCELERATED if self.accelerated or accelerators() else 1)

    def is_head(self, number: int) -> bool:
        """Whether trial `number` is a head on frozen blocks."""
        return number <= self.config.effort.heads

    def thaws(self, number: int) -> bool:
        """Whether trial `number` thaws blocks."""
        return number > self._ensemble

    def is_over(self, number: int, finished: Sequence[FrozenTrial]) -> bool:
        """Whether the study ends before trial `number`: there is none such, or nothing is left to train on.

        Each depth is begun in any case, so that a study says something of it, and of what the guide recommends; but not
        from random weights, of which an epoch says nothing.
        """
        if self.thaws(number) and self.left(finished) <= 0:
            begun = [random for _, _, random in self.depths[self._place(number) :]]
            return not begun or begun[0]
        return number > self.trials

    def follows(self, number: int) -> int:
        """Up to which number trials must have ended before trial `number` begins.

        A head that TPE proposes begins after three quarters of those before it: heads take seconds, and TPE learns from
        what has ended. An ensemble begins after the heads, and what thaws blocks after both.
        """
        startup = self.config.startup_trials
        if self.is_head(number):
            return max(startup, 3 * number // 4) if number > startup else 0
        return self._ensemble - (1 if self.is_ensemble(number) else 0)

    def is_ensemble(self, number: int) -> bool:
        """Whether trial `number` is the ensemble of the heads before it."""
        return number == self._ensemble

    @property
    def _ensemble(self) -> int:
        return self.config.effort.heads + 1

    def left(self, finished: Sequence[FrozenTrial]) -> float:
        """How many images are left to train on.

        A trial may take them all. The cheapest depths come first, so that as many as can be are trained to their end.
        """
        return self.images - sum(float(trial.user_attrs.get(COST, 0)) for trial in finished)

    def point(self, number: int, known: Sequence[FrozenTrial], seed: int) -> dict[str, Any]:
        """What trial `number` is to try, as parameters: what the order says, or then what TPE proposes.

        `known` are trials of lower numbers, finished or in flight. It learns about heads from heads, and about thawed
        blocks from trials that thaw some. If it proposes what was tried, which it is prone to where few settings
        differ, a draw is taken that was not. An ensemble has none.
        """
        if self.is_ensemble(number):
            return {}
        first, place = self._first_points(number), self._place(number)
        if place < len(first):
            return first[place]
        kind = self.is_head if self.is_head(number) else self.thaws
        alike = [trial for trial in known if kind(trial.user_attrs[NUMBER])]
        startup = self.config.startup_trials if self.is_head(number) else len(first)
        tried = {settings_of(trial) for trial in alike}
        for attempt in range(_ATTEMPTS):
            learnt = alike if attempt == 0 else []
            point = propose(learnt, lambda trial: self.suggest(trial, number, known), startup, seed + attempt)
            if self.suggest(FixedTrial(point), number, known) not in tried:
                break
        return point

    def _first_points(self, number: int) -> list[dict[str, Any]]:
        """What trials of the kind of trial `number` begin with."""
        if self.is_head(number):
            heads = [name for name in self.strategies if name in ("end_of_convnet", "start_of_convnet")]
            return [head_point(name, self.config, self.depth, self.cut) for name in heads]
        return [thawed_point(keep, frozen, self.config, random=random) for keep, frozen, random in self.depths]

    def _place(self, number: int) -> int:
        """Of trial `number` among its kind, from 0."""
        return number - 1 - (0 if self.is_head(number) else self._ensemble)

    def suggest(self, trial: BaseTrial, number: int, finished: Sequence[FrozenTrial]) -> TrialSettings:
        """The settings of trial `number`, which is no ensemble, after those that are `finished`."""
        if self.is_head(number):
            return suggest_head(trial, self.config, self.depth)
        return suggest_thawed(trial, self.config, _best_heads(finished), self.depth)

    @property
    def depths(self) -> list[tuple[int, int, bool]]:
        """(keep, freeze depth, whether from random weights) of each group's first trial, as many as may be run.

        The last block, and about half of all blocks; then the guide's.
        """
        depths = [(self.depth, self.depth - 1, False), (self.depth, self.depth // 2, False)]
        for strategy in self.strategies:
            init, kept, freeze_depth = guide_depth(strategy, self.depth, self.cut)
            if freeze_depth < kept:
                depths.append((kept, freeze_depth, init == "random"))
        return list(dict.fromkeys(depths))[: self.config.effort.thawed]


def _best_heads(finished: Sequence[FrozenTrial]) -> dict[int, TrialSettings]:
    """The head with the lowest Brier score, no ensemble, by what it keeps; of equals the first by number."""
    best: dict[int, TrialSettings] = {}
    complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    for trial in sorted(complete, key=lambda trial: (brier_of(trial), trial.user_attrs[NUMBER])):
        settings = settings_of(trial)
        if settings.thaw == 0 and not settings.members:
            best.setdefault(settings.keep, settings)
    return best
