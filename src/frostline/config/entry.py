"""An entry of a section of `params.yaml`, by its name."""

from collections.abc import Mapping
from typing import TypeVar

from frostline.errors import ConfigError
from frostline.text.nearest import did_you_mean

__all__ = ["entry_of"]

T = TypeVar("T")


def entry_of(kind: str, section: str, entries: Mapping[str, T], name: str) -> T:
    """What `section` of params.yaml holds under `name`. Raises ConfigError, which lists the names there are."""
    if name not in entries:
        raise ConfigError(
            f"No {kind} is called '{name}'. params.yaml names, under {section}: {', '.join(sorted(entries))}."
            f"{did_you_mean(name, entries)}"
        )
    return entries[name]
