"""Where files are written: what the system refuses there is one clear error."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from frostline.errors import WriteError

__all__ = ["check_writable", "writing"]

_MENDS = dict.fromkeys((errno.EMFILE, errno.ENFILE), "Raise the limit of open files (ulimit -n), and run again")
_MEND = "Name a place that is writable and has room, or make it so, and run again"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Write, lock or delete `path` in the block. Raises WriteError where the system refuses that.

    What it refuses of a file elsewhere or a pipe, and a lock that another process holds, is raised as it was.
    """
    try:
        yield
    except (Timeout, BrokenPipeError):
        raise
    except OSError as error:
        if not _is_about(error, path.parent.absolute()):
            raise
        mend = _MENDS.get(error.errno or 0, _MEND)
        raise WriteError(f"{path} cannot be written: {error.strerror or error}. {mend}.") from error


def check_writable(file: Path) -> None:
    """Make `file`, and its folder, if it is absent. Raises WriteError where the system refuses that."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def _is_about(error: OSError, folder: Path) -> bool:
    """Whether `error` names no file, as of a full disk, or one in `folder`, or a folder above it."""
    if not isinstance(error.filename, str):
        return True
    named = Path(error.filename).absolute()
    return named.is_relative_to(folder) or folder.is_relative_to(named)
