"""GIF: its blocks, up to the first picture."""

from collections.abc import Iterator
from typing import BinaryIO

from frostline.errors import ImageError

__all__ = ["IMAGE", "TRAILER", "blocks", "check_blocks"]

IMAGE, _EXTENSION, TRAILER = 0x2C, 0x21, 0x3B
_SIGNATURES = (b"GIF87a", b"GIF89a")
_JUNK = 1024
_PARTS = 20_000


def check_blocks(stream: BinaryIO) -> None:
    """Raise ImageError (unreadable) for a GIF in which much that means nothing comes before the first picture.

    Pillow goes through that byte by byte.
    """
    if stream.read(6) in _SIGNATURES:
        stream.seek(0)
        next((kind for kind, _ in blocks(stream.read()) if kind == IMAGE), None)
    stream.seek(0)


def blocks(data: bytes | memoryview) -> Iterator[tuple[int, int]]:
    """The kind of each block of a GIF, and where it ends, up to the trailer or to the end of `data`.

    Raises ImageError (unreadable) for more than a kilobyte outside blocks, or for very many small parts.
    """
    position, junk, parts = 13 + _colour_table(data[10:11]), 0, 0
    allowed = _PARTS + len(data) // 64  # encoders make parts of 255 bytes
    while position < len(data) and junk <= _JUNK and parts <= allowed:
        kind = data[position]
        if kind == TRAILER:
            yield kind, position + 1
            return
        if kind not in (IMAGE, _EXTENSION):
            position, junk = position + 1, junk + 1
            continue
        position += 2 if kind == _EXTENSION else 11 + _colour_table(data[position + 9 : position + 10])
        while (
            position < len(data) and data[position] and parts <= allowed
        ):  # parts, each led by its length; one of length 0 ends them
            position, parts = position + 1 + data[position], parts + 1
        position += 1
        yield kind, position
    if position < len(data):
        raise ImageError("unreadable", "a GIF of which too much means nothing, or lies in too many parts")


def _colour_table(flags: bytes | memoryview) -> int:
    """The bytes of a colour table, by the byte that announces it."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0
