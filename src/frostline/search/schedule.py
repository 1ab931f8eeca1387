"""The order of a study: heads in number, their ensemble, each depth group's first trial, then what the budget leaves.

Heads begin with the guide's; thawed trials with standard rates at each depth, the cheapest first, among them the
guide's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from frostline.config.schema import ACCELERATED, SearchConfig
from frostline.config.types import GUIDE, StrategyName
from frostline.runtime.devices import accelerators
from frostline.search.ensemble import choose_ensemble
from frostline.search.space import head_point, suggest_head, suggest_thawed, thawed_point
from frostline.search.trials import COST, NUMBER, settings_of
from frostline.training.settings import TrialSettings, guide_depth
from frostline.training.trial import Trainer

__all__ = ["Schedule", "alike"]


@dataclass(frozen=True)
class Schedule:
    """What a study's trial of each number is, from 1, on a backbone of `depth` blocks.

    `cut` is how many of them the guide's `start_of_convnet` keeps, where a probe has said it.
    """

    config: SearchConfig
    depth: int
    cut: int | None

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
        return self.config.effort.images * (ACCELERATED if accelerators() else 1)

    def is_head(self, number: int) -> bool:
        """Whether trial `number` is a head on frozen blocks."""
        return number <= self.config.effort.heads

    def thaws(self, number: int) -> bool:
        """Whether trial `number` thaws blocks."""
        return number > self._ensemble

    def is_ensemble(self, number: int) -> bool:
        """Whether trial `number` is the ensemble of the heads before it."""
        return number == self._ensemble

    @property
    def _ensemble(self) -> int:
        return self.config.effort.heads + 1

    def allowance(self, number: int, finished: Sequence[FrozenTrial]) -> float:
        """How many images trial `number`, which thaws blocks, may train on before it is judged.

        Of what is left the first trials of depth groups get equal shares, so that a dear group takes nothing from a
        cheap one, and leaves it what it does not need; later trials may take it all.
        """
        waiting = len(self.depths(finished)) - (number - self._ensemble - 1)
        return max(0.0, self.left(finished)) / max(1, waiting)

    def left(self, finished: Sequence[FrozenTrial]) -> float:
        """How many images are left to train on."""
        return self.images - sum(float(trial.user_attrs.get(COST, 0)) for trial in finished)

    def point(self, number: int, finished: Sequence[FrozenTrial]) -> dict[str, Any]:
        """What trial `number` is to try, as parameters; none where Optuna's sampler chooses."""
        if self.is_head(number):
            heads = [name for name in self.strategies if name in ("end_of_convnet", "start_of_convnet")]
            if number > len(heads):
                return {}
            return head_point(heads[number - 1], self.config, self.depth, self.cut)
        if self.is_ensemble(number):
            return {}
        depths, place = self.depths(finished), number - self._ensemble - 1
        return thawed_point(*depths[place][:2], self.config, random=depths[place][2]) if place < len(depths) else {}

    def suggest(
        self, trial: optuna.Trial, number: int, finished: Sequence[FrozenTrial], trainer: Trainer
    ) -> TrialSettings:
        """The settings of trial `number`, after those that are `finished`."""
        if self.is_head(number):
            return suggest_head(trial, self.config, self.depth)
        if self.is_ensemble(number):
            return choose_ensemble(trainer, alike(finished))
        return suggest_thawed(trial, self.config, _best_heads(finished), self.depth)

    def depths(self, finished: Sequence[FrozenTrial]) -> list[tuple[int, int, bool]]:
        """(keep, freeze depth, whether from random weights) of each group's first trial.

        The last block, and about half of the blocks, of what the best head keeps; then the guide's.
        """
        heads = _best_heads(finished)
        keep = next(reversed(heads), self.depth) if heads else self.depth
        depths = [(keep, keep - 1, False), (keep, keep // 2, False)]
        for strategy in self.strategies:
            init, kept, freeze_depth = guide_depth(strategy, self.depth, self.cut)
            if freeze_depth < kept:
                depths.append((kept, freeze_depth, init == "random"))
        return list(dict.fromkeys(depths))


def alike(finished: Sequence[FrozenTrial]) -> list[TrialSettings]:
    """The settings of all heads that predict under the same views as the best of them."""
    heads = [settings_of(trial) for trial in finished if trial.state == TrialState.COMPLETE]
    best = next(reversed(_best_heads(finished).values()))
    return list(dict.fromkeys(head for head in heads if head.thaw == 0 and head.test_views == best.test_views))


def _best_heads(finished: Sequence[FrozenTrial]) -> dict[int, TrialSettings]:
    """The best head, by what it keeps; the best of all comes last, of equals the first by number."""
    best: dict[int, TrialSettings] = {}
    complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    for trial in sorted(complete, key=lambda trial: (trial.values[0], -trial.user_attrs[NUMBER])):
        settings = settings_of(trial)
        if settings.thaw == 0:
            best.pop(settings.keep, None)
            best[settings.keep] = settings
    return best
