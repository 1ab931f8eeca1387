"""Whole files or none: outputs are written beside their place and moved there when complete."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from frostline.errors import WriteError

__all__ = ["atomic_file", "atomic_folder"]


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; it replaces `path` if the block ends without an error.

    Raises WriteError where the system refuses.
    """
    with _beside(path) as temporary:
        yield temporary
        temporary.replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; it replaces `path` if the block ends without an error.

    Raises WriteError where the system refuses.
    """
    with _beside(path) as temporary:
        temporary.mkdir()
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            yield Path(folder) / path.name
    except OSError as error:
        raise WriteError(
            f"{path} cannot be written: {error.strerror or error}. Name a place that is writable and has room, or make "
            "it so, and run again."
        ) from error
