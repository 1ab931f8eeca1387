"""What one trial varies, and the guide's names for regions of it."""

from dataclasses import dataclass

from frostline.config.types import Init

__all__ = ["TrialSettings", "guide_depth", "strategy_of"]

_START_SHARE = 0.75
"""How much of a backbone `start_of_convnet` keeps where no probe has said it: pool4 of VGG16's five."""


@dataclass(frozen=True)
class TrialSettings:
    """One point of the search space.

    Of the backbone's blocks the first `keep` are kept and, of those, the last `thaw` are trained (0 <= thaw <= keep,
    keep >= 1). `init` is `random` only where every kept block is trained. Rates and decay are positive, dropout lies in
    [0, 1), `pooling` is one of average, maximum, both, and `views` names one of data.views.VIEW_SETS.
    """

    init: Init
    keep: int
    thaw: int
    head_learning_rate: float
    backbone_learning_rate: float
    weight_decay: float
    dropout: float
    pooling: str
    views: str

    @property
    def freeze_depth(self) -> int:
        """How many blocks, from the input, are frozen."""
        return self.keep - self.thaw


def strategy_of(init: Init, keep: int, thaw: int, depth: int) -> str:
    """The name of the region that a point lies in, for a backbone of `depth` blocks.

    The guide has four names; whatever it has no name for (some blocks thawed, or a sliced network trained whole) is
    `partial_fine_tune`.
    """
    if init == "random":
        return "retrain"
    if thaw == 0:
        return "end_of_convnet" if keep == depth else "start_of_convnet"
    return "fine_tune" if thaw == keep == depth else "partial_fine_tune"


def guide_depth(strategy: str, depth: int, cut: int | None = None) -> tuple[Init, int, int]:
    """(init, keep, thaw) that stands for one of the guide's strategies, for a backbone of `depth` blocks.

    `cut` is how many blocks `start_of_convnet` keeps, below `depth`; without it, three quarters of them.
    """
    points: dict[str, tuple[Init, int, int]] = {
        "end_of_convnet": ("pretrained", depth, 0),
        "start_of_convnet": ("pretrained", cut or max(1, min(depth - 1, round(_START_SHARE * depth))), 0),
        "fine_tune": ("pretrained", depth, depth),
        "retrain": ("random", depth, depth),
    }
    return points[strategy]
