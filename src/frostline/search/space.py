"""The search space: what Optuna suggests, and the settings that a suggestion stands for."""

import math
from dataclasses import asdict
from typing import Any

from optuna.trial import Trial

from frostline.config import SearchConfig
from frostline.training.settings import TrialSettings, guide_depth

__all__ = ["as_point", "guide_settings", "suggest"]


def suggest(trial: Trial, config: SearchConfig, depth: int) -> TrialSettings:
    """Settings for a backbone of `depth` blocks.

    Ranges are the same in every trial, because multivariate TPE learns only from trials that share one space: no more
    is frozen than is kept, and random weights are taken only where nothing is frozen.
    """
    keep = trial.suggest_int("keep", 1, depth)
    thaw = keep - min(trial.suggest_int("freeze_at_most", 0, depth), keep)
    init = trial.suggest_categorical("init_if_unfrozen", ["pretrained", "random"])
    return TrialSettings(
        init="random" if init == "random" and thaw == keep else "pretrained",
        keep=keep,
        thaw=thaw,
        head_learning_rate=trial.suggest_float("head_learning_rate", *config.head_learning_rate, log=True),
        backbone_learning_rate=trial.suggest_float("backbone_learning_rate", *config.backbone_learning_rate, log=True),
        weight_decay=trial.suggest_float("weight_decay", *config.weight_decay, log=True),
        dropout=trial.suggest_float("dropout", *config.dropout),
        pooling=trial.suggest_categorical("pooling", list(config.pooling)),
        views=trial.suggest_categorical("views", list(config.views)),
    )


def guide_settings(strategy: str, config: SearchConfig, depth: int, cut: int | None = None) -> TrialSettings:
    """What one of the guide's strategies is tried with: the middle of every range, the last of every choice.

    `start_of_convnet` keeps `cut` blocks, where it is given.
    """
    init, keep, thaw = guide_depth(strategy, depth, cut)
    return TrialSettings(
        init=init,
        keep=keep,
        thaw=thaw,
        head_learning_rate=math.sqrt(math.prod(config.head_learning_rate)),
        backbone_learning_rate=math.sqrt(math.prod(config.backbone_learning_rate)),
        weight_decay=math.sqrt(math.prod(config.weight_decay)),
        dropout=sum(config.dropout) / 2,
        pooling=config.pooling[-1],
        views=config.views[-1],
    )


def as_point(settings: TrialSettings) -> dict[str, Any]:
    """`settings` as the parameters that `suggest` turns into them, for a trial that is enqueued."""
    values = asdict(settings)
    del values["thaw"]
    return values | {"freeze_at_most": settings.freeze_depth, "init_if_unfrozen": values.pop("init")}
