"""`frostline.advise`: which regime a folder of pictures is in, as an object."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from frostline.notebook.session import begun
from frostline.records.profile import Profile
from frostline.runtime.environment import expand_home

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Advice", "advise"]


@dataclass(frozen=True)
class Advice:
    """What was measured about a folder of pictures, and what the transfer-learning guide makes of it.

    `regime` is one of small-similar, small-different, large-similar and large-different, or ends in unclear.
    `strategies` are those that the guide tries first, `reason` says why. `shift` is the distance from the images of the
    pretraining, at least 0, with its 95% interval (`low`, `high`); None where there is no reference. `classes` has the
    images of each class. `blocks` is a table of the linear probe's balanced accuracy, in [0, 1], after each block.
    """

    regime: str
    strategies: tuple[str, ...]
    reason: str
    shift: dict[str, float] | None
    classes: dict[str, int]
    blocks: pd.DataFrame
    profile: Profile = field(repr=False)

    def figure(self) -> "Figure":
        """The picture of shift by layer and probe by block."""
        from frostline.plots.profile import profile_figure

        return profile_figure(self.profile)


def advise(
    folder: Path | str,
    *,
    backbone: str = "vgg16",
    weights: str | None = "imagenet",
    image_size: int = 128,
    images: int = 400,
) -> Advice:
    """Measure the pictures in `folder`, which has a sub-folder per class, or none; see `frostline advise`.

    At most `images` of them are looked at, at `image_size` pixels a side.

    Raises:
        DataError: there is no folder, or nothing usable in it.
        BackboneError: no such backbone, or not at this size.
        WeightsError: its weights are not found.
    """
    begun()
    from frostline.commands.advise import WHOLE, examine
    from frostline.config.schema import BackboneConfig, PrepareConfig

    config = BackboneConfig(weights=weights, image_size=image_size)
    profile, sample = examine(expand_home(folder), backbone, config, images, PrepareConfig())
    cell = profile.cell(WHOLE)
    blocks = [
        {"block": each.block, "name": each.name}
        | {f"balanced_accuracy_{part}": value for part, value in each.balanced_accuracy.model_dump().items()}
        for each in cell.blocks
    ]
    return Advice(
        regime=cell.regime,
        strategies=cell.strategies,
        reason=cell.reason,
        shift=cell.shift.model_dump() if cell.shift else None,
        classes=dict(zip(sample.classes, sample.counts, strict=True)) if sample.classes else {},
        blocks=pd.DataFrame(blocks),
        profile=profile,
    )
