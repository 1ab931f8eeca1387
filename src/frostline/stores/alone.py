"""One command at a time may change a registered model, as far as this machine can tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from frostline.errors import RegistryError
from frostline.files.writing import writing
from frostline.runtime.progress import say

__all__ = ["alone"]


@contextmanager
def alone(locks: Path, name: str, seconds: float = 0) -> Iterator[None]:
    """Hold the registered model called `name` for the block, by a file in `locks`, waiting up to `seconds` for it.

    Raises RegistryError if another command holds it, WriteError if the file cannot be made.
    """
    file = locks / f"{name}.lock"
    lock = FileLock(file)
    try:
        with writing(file):
            locks.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if seconds:
                    say(f"Waiting for another command that changes {name}.")
                lock.acquire(timeout=seconds)
    except Timeout:
        raise RegistryError(
            f"Another registration, promotion or rollback of {name} is under way on this machine: wait for it, then "
            "run this again."
        ) from None
    try:
        yield
    finally:
        lock.release()
