"""What one trial varies, and the guide's names for regions of it."""

from typing import Self

from pydantic import Field, model_validator

from frostline.config.frozen import Frozen
from frostline.config.types import Init, Pooling, StrategyName, ViewSet

__all__ = ["TrialSettings", "guide_depth", "strategy_of"]

_START_SHARE = 0.75
"""How much of a backbone `start_of_convnet` keeps where no probe has said it: pool4 of VGG16's five."""


class TrialSettings(Frozen):
    """One point of the search space.

    Of the backbone's blocks the first `keep` are kept and, of those, the first `freeze_depth` are frozen
    (0 <= freeze_depth <= keep, keep >= 1). `init` is `random` only where nothing is frozen.
    Weights of the head alone decay. `views` names one of data.views.VIEW_SETS.

    >>> settings = TrialSettings(
    ...     init="pretrained", keep=5, freeze_depth=4, head_learning_rate=1e-3, backbone_learning_rate=1e-5,
    ...     weight_decay=1.0, dropout=0.3, pooling="both", views="mirror",
    ... )
    >>> settings.thaw, strategy_of(settings, depth=5)
    (1, 'partial_fine_tune')
    """

    init: Init
    keep: int = Field(ge=1)
    freeze_depth: int = Field(ge=0)
    head_learning_rate: float = Field(gt=0)
    backbone_learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)
    pooling: Pooling
    views: ViewSet

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.freeze_depth > self.keep:
            raise ValueError(f"freeze_depth must be at most keep, {self.keep}, but got {self.freeze_depth}")
        if self.init == "random" and self.freeze_depth:
            raise ValueError(f"freeze_depth must be 0 with random weights, but got {self.freeze_depth}")
        return self

    @property
    def thaw(self) -> int:
        """How many of the kept blocks, from the output, are trained."""
        return self.keep - self.freeze_depth


def strategy_of(settings: TrialSettings, depth: int) -> str:
    """The name of the region that a point lies in, for a backbone of `depth` blocks.

    The guide has four names; whatever it has no name for (some blocks thawed, or a sliced network trained whole) is
    `partial_fine_tune`.
    """
    if settings.init == "random":
        return "retrain"
    if settings.thaw == 0:
        return "end_of_convnet" if settings.keep == depth else "start_of_convnet"
    return "fine_tune" if settings.thaw == depth else "partial_fine_tune"


def guide_depth(strategy: StrategyName, depth: int, cut: int | None = None) -> tuple[Init, int, int]:
    """(init, keep, freeze_depth) that stands for one of the guide's strategies, for a backbone of `depth` blocks.

    `cut` is how many blocks `start_of_convnet` keeps, below `depth`; without it, three quarters of them.

    >>> guide_depth("end_of_convnet", depth=5), guide_depth("start_of_convnet", depth=5)
    (('pretrained', 5, 5), ('pretrained', 4, 4))
    """
    start = cut or max(1, min(depth - 1, round(_START_SHARE * depth)))
    points: dict[StrategyName, tuple[Init, int, int]] = {
        "end_of_convnet": ("pretrained", depth, depth),
        "start_of_convnet": ("pretrained", start, start),
        "fine_tune": ("pretrained", depth, 0),
        "retrain": ("random", depth, 0),
    }
    return points[strategy]
