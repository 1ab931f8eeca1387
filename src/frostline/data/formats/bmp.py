"""BMP: Pillow goes through run lengths in Python, some of which stand for no pixel."""

from io import SEEK_END
from typing import BinaryIO

from frostline.errors import ImageError

__all__ = ["check_runs"]

_RUN_LENGTHS = (1, 2)
_MOST_BYTES = 4_000_000


def check_runs(stream: BinaryIO) -> None:
    """Raise ImageError (unreadable) for a BMP of more than 4 MB of run lengths: these take a second."""
    head = stream.read(34)
    if head[:2] == b"BM" and head[30:34] and int.from_bytes(head[30:34], "little") in _RUN_LENGTHS:
        size = stream.seek(0, SEEK_END)
        if size > _MOST_BYTES:
            raise ImageError(
                "unreadable", f"a BMP of {size} bytes of run lengths; {_MOST_BYTES} are read: save it as PNG"
            )
    stream.seek(0)
