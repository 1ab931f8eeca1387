"""Where a user's files are read: what the system refuses there is one clear error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frostline.errors import FrostlineError

__all__ = ["reading"]


@contextmanager
def reading(path: Path, kind: type[FrostlineError]) -> Iterator[None]:
    """Look at `path`, and what is in it, in the block. Raises an error of this `kind` where the system refuses."""
    try:
        yield
    except OSError as error:
        raise kind(
            f"{error.filename or path} cannot be read: {error.strerror or error}. Mend its name or its permissions, "
            "and run again."
        ) from error
