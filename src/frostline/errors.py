"""The errors that are no defects. Each says what happened, what was expected, what was received and how to mend it.

They are raised at the border where it happens: where a file is read or written, a store asked, a package imported. The
command line prints them without a traceback and exits with 1; anything else that reaches it is a defect, which exits
with 70 (see `runtime.ending`).
"""

from frostline.text.words import visible

__all__ = [
    "ArtifactError",
    "BackboneError",
    "CacheError",
    "ComputeError",
    "ConfigError",
    "DataError",
    "ExportError",
    "FrostlineError",
    "ImageError",
    "PackageError",
    "RegistryError",
    "SearchError",
    "ServingError",
    "StoreError",
    "VersionError",
    "WeightsError",
    "WriteError",
]


class FrostlineError(Exception):
    """Base of every error that frostline raises on purpose. What a user's words in it hide is written out."""

    def __str__(self) -> str:
        return visible(super().__str__(), keep="\n")


class ArtifactError(FrostlineError):
    """A file that frostline made is missing or damaged, or is of another version, or of other data."""


class ConfigError(FrostlineError):
    """`params.yaml`, the command line or the environment lacks something, or holds what is not allowed."""


class DataError(FrostlineError):
    """A data source cannot be used as a whole: absent, empty, changed, or a class ends with too few images."""


class ExportError(FrostlineError):
    """A version cannot be written as a file of another form that answers the same."""


class ImageError(FrostlineError):
    """One image cannot be used. `reason` is the short word that the quarantine counts by."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class BackboneError(FrostlineError):
    """No such backbone, or one that cannot be cut or sized as asked."""


class CacheError(FrostlineError):
    """Cached activations cannot be used: damaged or gone while in use, or the limit is below what a study needs."""


class ComputeError(FrostlineError):
    """A cluster cannot be reached, has no room for a worker, or its machines differ from this one."""


class PackageError(FrostlineError):
    """A package that is needed is not installed, is too old, or cannot be imported."""


class WeightsError(FrostlineError):
    """Pretrained weights were not found, or do not fit the backbone."""


class SearchError(FrostlineError):
    """A study cannot run or has no usable trial."""


class ServingError(FrostlineError):
    """The server cannot listen where it was told to."""


class StoreError(FrostlineError):
    """A store of runs or studies refuses: it does not answer, or is locked, full, read-only or damaged.

    `code` is MLflow's error code, where it gave one. `address` is the store's, whose secrets no traceback may show.
    """

    def __init__(self, message: str, code: str = "", address: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.address = address


class RegistryError(FrostlineError):
    """A registered model, or a version of it, is not there, or cannot be registered, compared or moved as asked."""


class VersionError(RegistryError):
    """A version's files are gone, or are not those that were registered."""


class WriteError(FrostlineError):
    """A file cannot be written or deleted: no such place, no permission, no room."""
