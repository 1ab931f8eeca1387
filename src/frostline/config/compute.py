"""Where trials are trained: in this process, or on a Ray cluster."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from frostline.config.section import Section
from frostline.config.types import Count

__all__ = ["ComputeConfig"]


class ComputeConfig(Section):
    """Which machines train, and what each worker has of them. It has no say in what is found."""

    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    workers: Count | None = None
    cpus: Annotated[float, Field(gt=0)] = 2
    gpus: Annotated[float, Field(ge=0)] = 0
    minutes: Annotated[float, Field(gt=0)] = 60

    @model_validator(mode="after")
    def _gpus_are_whole_or_shared(self) -> "ComputeConfig":
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus must be a share of one GPU, up to 1, or a whole number, but got {self.gpus:g}")
        return self
