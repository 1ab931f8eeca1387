"""The search space: what Optuna suggests, and the settings that a suggestion stands for.

Heads and trials that thaw blocks have parameters of their own, because TPE learns only from trials that share them.
"""

from typing import Any

import numpy as np
from optuna.trial import BaseTrial

from frostline.config.schema import SearchConfig
from frostline.config.types import StrategyName
from frostline.training.settings import TrialSettings, guide_depth

__all__ = [
    "HEAD_PARAMETERS",
    "head_point",
    "standard_head",
    "standard_rates",
    "suggest_head",
    "suggest_thawed",
    "thawed_point",
]

HEAD_PARAMETERS = ("keep", "reads", "pooling", "views")
_RATES = ("head_learning_rate", "backbone_learning_rate")
_STANDARD = {"head_learning_rate": 1e-4, "backbone_learning_rate": 3e-5, "dropout": 0.3}
"""What trials that thaw blocks are tried with first."""

_OF_ONE_BLOCK = {"backbone_learning_rate": 1e-4}
"""What else where one block is thawed: it bears longer steps, and needs them (docs/results/curves.md)."""


def suggest_head(trial: BaseTrial, config: SearchConfig, depth: int) -> TrialSettings:
    """A head on frozen blocks of a backbone of `depth`: it reads the last `reads` of `keep` blocks, or all of them."""
    keep = trial.suggest_int("keep", 1, depth)
    reads = trial.suggest_int("reads", 1, depth)
    pooling = trial.suggest_categorical("pooling", list(config.pooling))
    views = trial.suggest_categorical("views", list(config.views))
    return _head(range(max(1, keep - reads + 1), keep + 1), pooling, views, config)


def suggest_thawed(
    trial: BaseTrial, config: SearchConfig, heads: dict[int, TrialSettings], depth: int
) -> TrialSettings:
    """A network whose last blocks are trained, under the best of `heads` for the last block that it keeps.

    One block at least is thawed, and random weights are taken only where nothing is frozen.
    """
    keep = trial.suggest_int("thawed_keep", 1, depth)
    freeze_depth = min(trial.suggest_int("freeze_at_most", 0, depth), keep - 1)
    init = trial.suggest_categorical("init_if_unfrozen", ["pretrained", "random"])
    rates = {name: trial.suggest_float(name, *getattr(config, name), log=True) for name in _RATES}
    dropout = trial.suggest_float("dropout", *config.dropout)
    views = trial.suggest_categorical("thawed_views", list(config.views))
    depth_and_rates = {
        "init": "random" if init == "random" and freeze_depth == 0 else "pretrained",
        "freeze_depth": freeze_depth,
        "dropout": dropout,
        "views": views,
        "test_views": config.test_views_of(views),
    }
    head = heads.get(keep) or standard_head(keep, config)
    return TrialSettings.model_validate(head.model_dump() | depth_and_rates | rates)


def standard_head(keep: int, config: SearchConfig) -> TrialSettings:
    """The head that people take first: it reads the last of `keep` blocks, with the last of every choice."""
    return _head((keep,), config.pooling[-1], config.views[-1], config)


def standard_rates(config: SearchConfig, thaw: int) -> dict[str, float]:
    """Standard rates and dropout for so many thawed blocks; where a range leaves one out, the nearest that it allows.

    So studies over different ranges try a strategy in the same way: what it gives can be compared.
    """
    standard = _STANDARD | (_OF_ONE_BLOCK if thaw == 1 else {})
    return {name: float(np.clip(value, *getattr(config, name))) for name, value in standard.items()}


def head_point(strategy: StrategyName, config: SearchConfig, depth: int, cut: int | None) -> dict[str, Any]:
    """What one of the guide's strategies on frozen blocks is for `suggest_head`; `cut` is what a probe has found."""
    _, keep, _ = guide_depth(strategy, depth, cut)
    return {"keep": keep, "reads": 1, "pooling": config.pooling[-1], "views": config.views[-1]}


def thawed_point(keep: int, freeze_depth: int, config: SearchConfig, *, random: bool = False) -> dict[str, Any]:
    """What a depth is tried with first, for `suggest_thawed`."""
    return standard_rates(config, keep - freeze_depth) | {
        "thawed_keep": keep,
        "freeze_at_most": freeze_depth,
        "init_if_unfrozen": "random" if random else "pretrained",
        "thawed_views": config.views[-1],
    }


def _head(blocks: Any, pooling: str, views: str, config: SearchConfig) -> TrialSettings:
    blocks = tuple(blocks)
    return TrialSettings.model_validate(
        {
            "init": "pretrained",
            "blocks": blocks,
            "freeze_depth": blocks[-1],
            "pooling": pooling,
            "views": views,
            "test_views": config.test_views_of(views),
        }
    )
