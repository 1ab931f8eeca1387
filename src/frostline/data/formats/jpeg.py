"""JPEG: its segments, up to where the pixels begin."""

from typing import BinaryIO

from frostline.errors import ImageError

__all__ = ["check_segments"]

_SIGNATURE = b"\xff\xd8\xff"
_SCAN = 0xDA
_ALONE = (0x01, *range(0xD0, 0xDA))
_SEGMENTS = 10_000
_JUNK = 1 << 16


def check_segments(stream: BinaryIO) -> int | None:
    """Where the first scan of a JPEG file begins; None for other files, and where the file ends before.

    Pillow goes through junk between segments byte by byte, for minutes if there is a gigabyte of it. Raises ImageError
    (unreadable) for more than 64 KB or 10,000 segments.
    """
    start, position = None, len(_SIGNATURE) - 1
    if stream.read(len(_SIGNATURE)) == _SIGNATURE:
        start = _scan(stream, position)
    stream.seek(0)
    return start


def _scan(stream: BinaryIO, position: int) -> int | None:
    junk = 0
    for _ in range(_SEGMENTS):
        stream.seek(position)
        head = stream.read(4)
        if len(head) < 4:
            return None
        if head[0] != 0xFF or head[1] in (0x00, 0xFF):
            block = stream.read(_JUNK)
            skipped = (head[1:] + block).find(b"\xff") + 1
            junk += skipped or len(block) + 4
            position += skipped or len(block) + 4
            if junk > _JUNK:
                break
        elif head[1] == _SCAN:
            return position
        else:
            position += 2 if head[1] in _ALONE else 2 + int.from_bytes(head[2:])
    raise ImageError("unreadable", f"more than {_JUNK} bytes between the segments of its header mean nothing")
