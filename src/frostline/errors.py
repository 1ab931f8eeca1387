"""The errors a user can cause. Each says what happened, what was expected, what was received and how to mend it.

The command line prints them without a traceback and exits with 1; anything else that reaches a user is a defect.
"""

from frostline.text.words import visible

__all__ = [
    "BackboneError",
    "CacheError",
    "ConfigError",
    "DataError",
    "FrostlineError",
    "ImageError",
    "RegistryError",
    "SearchError",
    "StoreError",
    "VersionError",
    "WeightsError",
    "WriteError",
]


class FrostlineError(Exception):
    """Base of every error that frostline raises on purpose. What a user's words in it hide is written out."""

    def __str__(self) -> str:
        return visible(super().__str__(), keep="\n")


class ConfigError(FrostlineError):
    """`params.yaml`, or the process environment, is missing something or holds what is not allowed."""


class DataError(FrostlineError):
    """A data source cannot be used as a whole: absent, empty, or a class ends with too few images."""


class ImageError(FrostlineError):
    """One image cannot be used. `reason` is the short word that the quarantine counts by."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class BackboneError(FrostlineError):
    """No such backbone, or one that cannot be cut or sized as asked."""


class CacheError(FrostlineError):
    """Cached activations cannot be used: damaged while in use, or the limit is below what a study needs at least."""


class WeightsError(FrostlineError):
    """Pretrained weights were not found, or do not fit the backbone."""


class SearchError(FrostlineError):
    """A study cannot run or has no usable trial."""


class StoreError(FrostlineError):
    """A database of runs or studies is locked, full, read-only or damaged."""


class RegistryError(FrostlineError):
    """No such registered model or alias, or nothing to register."""


class VersionError(RegistryError):
    """A version's files are gone, or are not those that were registered."""


class WriteError(FrostlineError):
    """An output cannot be written: no such place, no permission, no room."""
