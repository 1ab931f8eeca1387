"""The base of the sections of `params.yaml`."""

from typing import Any

from pydantic import model_validator

from frostline.config.frozen import Frozen

__all__ = ["Section"]


class Section(Frozen, allow_inf_nan=False):
    """A section of `params.yaml`, or an entry of one. Where it is empty, all its keys have their defaults."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_no_key(cls, value: Any) -> Any:
        return {} if value is None else value
