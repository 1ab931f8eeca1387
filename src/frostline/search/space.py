"""The search space: what Optuna suggests, and the settings that a suggestion stands for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.trial import Trial

from frostline.config.schema import SearchConfig
from frostline.config.types import GUIDE, StrategyName
from frostline.training.settings import TrialSettings, guide_depth

__all__ = ["as_point", "first_strategies", "guide_settings", "suggest"]

_RATES = ("head_learning_rate", "backbone_learning_rate", "weight_decay")
_CHOICES = ("pooling", "views")
_STANDARD = {"head_learning_rate": 1.6e-3, "backbone_learning_rate": 5.5e-5, "weight_decay": 3.2, "dropout": 0.3}
"""What the guide's strategies are tried with: the middle, about, of the ranges that params.yaml comes with."""


def suggest(trial: Trial, config: SearchConfig, depth: int) -> TrialSettings:
    """Settings for a backbone of `depth` blocks.

    Ranges are the same in every trial, because multivariate TPE learns only from trials that share one space: no more
    is frozen than is kept, and random weights are taken only where nothing is frozen.
    """
    keep = trial.suggest_int("keep", 1, depth)
    freeze_depth = min(trial.suggest_int("freeze_at_most", 0, depth), keep)
    init = trial.suggest_categorical("init_if_unfrozen", ["pretrained", "random"])
    rates = {name: trial.suggest_float(name, *getattr(config, name), log=True) for name in _RATES}
    dropout = trial.suggest_float("dropout", *config.dropout)
    choices = {name: trial.suggest_categorical(name, list(getattr(config, name))) for name in _CHOICES}
    depths = {"keep": keep, "freeze_depth": freeze_depth}
    starts = {"init": "random" if init == "random" and freeze_depth == 0 else "pretrained"}
    return TrialSettings.model_validate(starts | depths | rates | {"dropout": dropout} | choices)


def first_strategies(config: SearchConfig, recommended: Sequence[StrategyName]) -> Sequence[StrategyName]:
    """The strategies that a study begins with, when `recommended` lists all of the guide's, its advice first.

    Unless params.yaml lists its own: all four, the cheapest first, so that there is an answer within a minute and dear
    trials are compared with it; or, where there are fewer trials than that, the recommended ones first.
    """
    if config.strategies != "auto":
        return config.strategies
    return GUIDE if config.trials >= len(GUIDE) else recommended


def guide_settings(strategy: StrategyName, config: SearchConfig, depth: int, cut: int | None = None) -> TrialSettings:
    """What one of the guide's strategies is tried with: standard values, and the last of every choice.

    Where a range leaves the standard value out, the nearest that it allows. So studies over different ranges try a
    strategy in the same way: what it gives can be compared, and need not be trained again.
    `start_of_convnet` keeps `cut` blocks, where it is given.
    """
    init, keep, freeze_depth = guide_depth(strategy, depth, cut)
    standard = {name: float(np.clip(value, *getattr(config, name))) for name, value in _STANDARD.items()}
    return TrialSettings(
        init=init,
        keep=keep,
        freeze_depth=freeze_depth,
        pooling=config.pooling[-1],
        views=config.views[-1],
        **standard,
    )


def as_point(settings: TrialSettings) -> dict[str, Any]:
    """`settings` as the parameters that `suggest` turns into them, for a trial that is enqueued."""
    values = settings.model_dump()
    return values | {"freeze_at_most": values.pop("freeze_depth"), "init_if_unfrozen": values.pop("init")}
