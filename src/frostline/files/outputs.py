"""What one stage leaves for another, and where; a file that is gone or damaged is one clear error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

from frostline.errors import DataError

__all__ = ["FOLDERS", "output_of"]

_DATA = ("data/raw", "data/sources", "data/backbones", "data/prepared", "data/packed")
_RESULTS = ("models", "results/profile", "results/evaluation", "results/registered", "reports")
FOLDERS = tuple(Path(place) for place in (".", *_DATA, *_RESULTS))
"""Where commands write to, from the working folder."""


@contextmanager
def output_of(stage: str, path: Path) -> Iterator[None]:
    """Read `path`, an output of `stage`, in the block.

    Raises DataError if it is absent, or does not hold what this version of the stage writes.
    """
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Make it with: dvc repro.") from None
    except (ValueError, LookupError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        raise DataError(
            f"{path} is damaged, or not of this version. Make it again: dvc repro --force {stage}."
        ) from error
