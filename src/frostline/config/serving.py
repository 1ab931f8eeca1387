"""How served models answer."""

from typing import Annotated

from pydantic import Field

from frostline.config.section import Section

__all__ = ["ServingConfig"]


class ServingConfig(Section):
    """`outliers` is the share of pictures like the training images that may be called unknown."""

    outliers: Annotated[float, Field(gt=0, le=0.5)] = 0.01
