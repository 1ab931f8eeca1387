"""What one stage leaves for another, and where; a file that is gone or damaged is one clear error."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

from frostline.errors import ArtifactError

__all__ = ["FOLDERS", "output_of"]

_DATA = ("corrections", "data/raw", "data/sources", "data/backbones", "data/prepared", "data/packed")
_RESULTS = ("models", "results/profile", "results/labels", "results/evaluation", "results/registered", "reports")
FOLDERS = tuple(Path(place) for place in (".", *_DATA, *_RESULTS))
"""Where commands write to, from the working folder."""


@contextmanager
def output_of(stage: str, path: Path) -> Iterator[None]:
    """Read `path`, an output of `stage`, in the block.

    Raises ArtifactError if it is absent, cannot be read, or does not hold what this version of the stage writes.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise _absent(Path(error.filename or path)) from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, BadZipFile, zlib.error) as error:
        if not path.exists():  # Keras raises ValueError
            raise _absent(path) from error
        if isinstance(error, OSError) and error.errno:  # HDF5's, of a damaged file, have no number
            file = error.filename or path
            raise ArtifactError(f"{file} cannot be read: {error.strerror}. Mend that, and run again.") from error
        raise ArtifactError(
            f"{path} is damaged, or not of this version. Make it again: dvc repro --force {stage}."
        ) from error


def _absent(path: Path) -> ArtifactError:
    return ArtifactError(f"{path} does not exist. Make it with: dvc repro.")
