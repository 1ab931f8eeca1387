"""What one trial varies, and the guide's names for regions of it."""

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from frostline.config.frozen import Frozen
from frostline.config.types import Init, Pooling, StrategyName, ViewSet

__all__ = ["GROUPS", "DepthGroup", "Member", "TrialSettings", "group_of", "guide_depth", "strategy_of"]

DepthGroup = Literal["heads", "last block", "some blocks", "all blocks", "random weights"]
GROUPS: tuple[DepthGroup, ...] = get_args(DepthGroup)
"""The depth groups, the cheapest first."""

_START_SHARE = 0.75
"""How much of a backbone `start_of_convnet` keeps where no probe has said it: pool4 of VGG16's five."""


def _ascend(blocks: tuple[int, ...]) -> tuple[int, ...]:
    if list(blocks) != sorted(set(blocks)):
        raise ValueError(f"blocks must ascend, each once, but got {list(blocks)}")
    return blocks


Blocks = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1), AfterValidator(_ascend)]
"""Numbers of a backbone's blocks, from 1, ascending."""


class Member(Frozen):
    """A head in an ensemble: the `blocks` it reads, how, and its `share` of the vote, in (0, 1]."""

    blocks: Blocks
    pooling: Pooling
    share: float = Field(gt=0, le=1)


class TrialSettings(Frozen):
    """One point of the search space.

    The head reads `blocks` of the backbone, ascending; the last of them is the last that is kept. Of those kept the
    first `freeze_depth` are frozen (0 <= freeze_depth <= keep). `init` is `random` only where nothing is frozen.
    `views` and `test_views` name sets of views (data.views): thawed blocks are trained on images under the former;
    every prediction is one of features averaged over the latter, which are the former or the identity alone. Rates and
    dropout are those of training, so that a head on frozen blocks, which is computed, has none. A head may be the mean
    of `members`: then `blocks` are all that they read, and `pooling` is both.

    >>> settings = TrialSettings(
    ...     init="pretrained", blocks=(4, 5), freeze_depth=4, pooling="both", views="mirror", test_views="mirror",
    ...     head_learning_rate=1e-3, backbone_learning_rate=1e-5, dropout=0.3,
    ... )
    >>> settings.keep, settings.thaw, strategy_of(settings, depth=5)
    (5, 1, 'partial_fine_tune')
    """

    init: Init
    blocks: Blocks
    freeze_depth: int = Field(ge=0)
    pooling: Pooling
    views: ViewSet
    test_views: ViewSet
    head_learning_rate: float | None = Field(default=None, gt=0)
    backbone_learning_rate: float | None = Field(default=None, gt=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    members: tuple[Member, ...] = ()

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        read = {block for member in self.members for block in member.blocks}
        if self.members and (self.pooling != "both" or read != set(self.blocks)):
            raise ValueError(f"members read blocks {sorted(read)}, pooled both ways, but got {list(self.blocks)}")
        if self.freeze_depth > self.keep:
            raise ValueError(f"freeze_depth must be at most keep, {self.keep}, but got {self.freeze_depth}")
        if self.init == "random" and self.freeze_depth:
            raise ValueError(f"freeze_depth must be 0 with random weights, but got {self.freeze_depth}")
        if self.test_views not in (self.views, "identity"):
            raise ValueError(f"test_views must be {self.views} or identity, but got {self.test_views}")
        rates = (self.head_learning_rate, self.backbone_learning_rate, self.dropout)
        if any((rate is None) == (self.thaw > 0) for rate in rates):
            raise ValueError(f"rates and dropout are for thawed blocks: {self.thaw} are thawed, but got {list(rates)}")
        return self

    @property
    def keep(self) -> int:
        """How many of the backbone's blocks, from the input, are kept."""
        return self.blocks[-1]

    @property
    def thaw(self) -> int:
        """How many of the kept blocks, from the output, are trained."""
        return self.keep - self.freeze_depth

    @property
    def head(self) -> "TrialSettings":
        """The same head on blocks that are all frozen, which is fitted under the views that it predicts by."""
        kept = {"init": "pretrained", "freeze_depth": self.keep, "views": self.test_views}
        return self.model_copy(update=kept | dict.fromkeys(("head_learning_rate", "backbone_learning_rate", "dropout")))

    def params(self) -> dict[str, object]:
        """What a run shows of them: depths and choices, and of rates those that there are."""
        values = {"keep": self.keep, "thaw": self.thaw} | self.model_dump(exclude_none=True, exclude={"members"})
        return values | {"blocks": ",".join(map(str, self.blocks)), "heads": max(1, len(self.members))}


def group_of(settings: TrialSettings) -> DepthGroup:
    """The depth group of a point: how deep to freeze, in five steps.

    A head has nothing but itself trained. Where all kept blocks are trained, that is `all blocks`, even if it is one.
    """
    if settings.init == "random":
        return "random weights"
    if settings.thaw == 0:
        return "heads"
    if settings.freeze_depth == 0:
        return "all blocks"
    return "last block" if settings.thaw == 1 else "some blocks"


def strategy_of(settings: TrialSettings, depth: int) -> str:
    """The name of the region that a point lies in, for a backbone of `depth` blocks.

    The guide has four names. What it has no name for is `ensemble` (several heads on frozen blocks) or
    `partial_fine_tune` (some blocks thawed, or a sliced network trained whole).
    """
    if settings.init == "random":
        return "retrain"
    if settings.members and settings.thaw == 0:
        return "ensemble"
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
