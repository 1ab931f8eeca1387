"""JPEG: its segments and scans; of more than 8 bits, which Pillow does not read, by imagecodecs."""

import re
import struct
from io import BytesIO
from typing import BinaryIO

import imagecodecs
import numpy as np

from frostline.data.levels import Range
from frostline.data.samples import Samples
from frostline.errors import ImageError

__all__ = ["JpegReader", "check_scans", "first_scan", "frame_sides", "open_jpeg", "scans"]

_SIGNATURE = b"\xff\xd8\xff"
_SCAN, _END = 0xDA, 0xD9
_ALONE = (0x01, *range(0xD0, 0xDA))
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_SEGMENTS = 10_000
_JUNK = 1 << 16
# Encoders make about ten, and up to 40 if asked for. 40 bytes make one more, which takes as long as the whole picture.
_SCANS = 100
_SCAN_MARKER = bytes((0xFF, _SCAN))
# Between the pixels of a scan 0xFF is followed by 0, or by the number of a restart.
_MARKER = re.compile(rb"\xff[^\0\xd0-\xd7\xff]")


def open_jpeg(stream: BinaryIO) -> "JpegReader | None":
    """The picture in a JPEG file of more than 8 bits; None for other files.

    Pillow goes through junk between segments byte by byte, for minutes if there is a gigabyte of it. Raises ImageError
    (unreadable) for more than 64 KB or 10,000 segments.
    """
    _, frame = _walk(stream)
    if frame is None or frame[0] <= 8:
        return None
    bits, height, width, channels = frame
    if channels not in (1, 3):
        raise ImageError("unreadable", f"a JPEG file of {channels} channels of {bits} bits; grey and RGB are read")
    return JpegReader(stream, (width, height), channels, bits)


def first_scan(stream: BinaryIO) -> int | None:
    """Where the first scan of a JPEG file begins; None where the file ends before. Raises ImageError as `open_jpeg`."""
    return _walk(stream)[0]


def frame_sides(data: bytes) -> tuple[int, int] | None:
    """Width and height in a JPEG file's bytes; None where there are none. Raises ImageError as `open_jpeg` does."""
    _, frame = _walk(BytesIO(data))
    return frame and (frame[2], frame[1])


def scans(data: bytes) -> int:
    """How often a decoder goes over the picture in a JPEG file's bytes; 0 for other files.

    What follows the picture, as a second one or a film does in phones' files, does not count. Among more segments than
    any encoder makes, all that looks like a scan does.
    """
    if not data.startswith(_SIGNATURE):
        return 0
    count, position = 0, len(_SIGNATURE) - 1
    for _ in range(_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None or found[0][1] == _END:
            return count
        alone = found[0][1] in _ALONE
        count += found[0][1] == _SCAN
        position = found.end() + (0 if alone else int.from_bytes(data[found.end() : found.end() + 2]))
    return data.count(_SCAN_MARKER)


def check_scans(data: bytes) -> None:
    """Raise ImageError (unreadable) for a JPEG file of more than 100 scans: it could take minutes to decode."""
    if data.count(_SCAN_MARKER) > _SCANS and (count := scans(data)) > _SCANS:
        raise ImageError("unreadable", f"a JPEG file of {count} scans, of which {_SCANS} are decoded: save it anew")


def _walk(stream: BinaryIO) -> tuple[int | None, tuple[int, int, int, int] | None]:
    """Where the first scan begins, and of its frame the bits, height, width and channels; None what is not there."""
    frame, position, junk = None, len(_SIGNATURE) - 1, 0
    stream.seek(0)
    if stream.read(len(_SIGNATURE)) != _SIGNATURE:
        stream.seek(0)
        return None, None
    for _ in range(_SEGMENTS):
        stream.seek(position)
        head = stream.read(10)
        if len(head) < 10 or (head[0] == 0xFF and head[1] == _SCAN):
            stream.seek(0)
            return (position if len(head) == 10 else None), frame
        if head[0] != 0xFF or head[1] in (0x00, 0xFF):
            block = head[1:] + stream.read(_JUNK)
            skipped = block.find(b"\xff") + 1 or len(block) + 1
            junk += skipped
            position += skipped
            if junk > _JUNK:
                break
            continue
        if head[1] in _FRAMES:
            frame = struct.unpack(">BHHB", head[4:])
        position += 2 if head[1] in _ALONE else 2 + int.from_bytes(head[2:4])
    raise ImageError("unreadable", f"more than {_JUNK} bytes between the segments of its header mean nothing")


class JpegReader:
    """A JPEG picture of more than 8 bits."""

    copies = 0
    orientation = 1

    def __init__(self, stream: BinaryIO, size: tuple[int, int], channels: int, bits: int) -> None:
        self._stream = stream
        self.size = size
        self._channels = channels
        self._declared = Range(0, 2**bits - 1) if bits < 16 else None

    def cost(self) -> int:
        """Bytes at the peak: the codec's coefficients and values, the values, 8-bit RGB."""
        width, height = self.size
        return width * height * (4 + 8 * self._channels)

    def read(self) -> Samples:
        """The values. Raises what imagecodecs raises."""
        return Samples(np.atleast_3d(imagecodecs.jpeg_decode(self._stream.read())), declared=self._declared)
