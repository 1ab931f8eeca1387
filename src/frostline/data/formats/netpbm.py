"""PBM, PGM and PPM as text, or whose white is not 255: Pillow takes each pixel by itself, and 8 bits of colour."""

import re
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.data.levels import Range
from frostline.data.samples import Samples
from frostline.errors import ImageError

__all__ = ["NetpbmReader", "open_netpbm"]

_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_HEADER = re.compile(rb"P([2356])" + (_GAP + rb"(\d{1,9})") * 3 + rb"\s")
_BITMAP = re.compile(rb"P1" + (_GAP + rb"(\d{1,9})") * 2 + rb"\s")
_BEGIN = re.compile(rb"P[1-6f]\s|P[0y](?:CMYK|RGBA|P)\s")
_WHOLE = re.compile(rb"P(?:[14](?:" + _GAP + rb"\S+){2}|[^14\s]\w*(?:" + _GAP + rb"\S+){3})\s")
_COMMENT = re.compile(rb"#[^\n\r]*")
_HEADER_BYTES = 1 << 16
# Text may have so many bytes for each value, and a header's worth of comments.
_VALUE_BYTES = 8


def open_netpbm(stream: BinaryIO) -> "NetpbmReader | None":
    """The picture in a PBM, PGM or PPM file; None for other files, and for those that Pillow reads well.

    Raises ImageError (unreadable) for a header of more than 64 KB, which Pillow would read byte by byte.
    """
    head = stream.read(_HEADER_BYTES)
    stream.seek(0)
    if len(head) == _HEADER_BYTES and _BEGIN.match(head) and not _WHOLE.match(head):
        raise ImageError("unreadable", f"its header has more than {_HEADER_BYTES} bytes")
    if bitmap := _BITMAP.match(head):
        return NetpbmReader(stream, bitmap.end(), 1, (int(bitmap[1]), int(bitmap[2])), 1)
    header = _HEADER.match(head)
    if header is None:
        return None
    form, width, height, white = map(int, header.groups())
    if (white == 255 and form in (5, 6)) or not 0 < white <= 65535:
        return None
    return NetpbmReader(stream, header.end(), form, (width, height), white)


class NetpbmReader:
    """A picture in the Netpbm format P`form`: 1 to 3 are text, 5 and 6 binary, 3 and 6 in colour; 0 to `white`.

    In PBM, which is P1, white is 0.
    """

    copies = 0
    orientation = 1

    def __init__(self, stream: BinaryIO, start: int, form: int, size: tuple[int, int], white: int) -> None:
        self._stream = stream
        self._start = start
        self._form = form
        self._text = form in (1, 2, 3)
        self._channels = 3 if form in (3, 6) else 1
        self.size = size
        self._white = white

    def cost(self) -> int:
        """Bytes at the peak: 8-bit RGB, and of text its numbers and two copies."""
        width, height = self.size
        return width * height * (4 + self._channels * (4 + 2 * _VALUE_BYTES if self._text else 1))

    def read(self) -> Image.Image | Samples:
        """The values, or of at most 8 bits an 8-bit picture. Raises ImageError (truncated, unreadable)."""
        width, height = self.size
        data, count = self._stream.read(), width * height * self._channels
        if self._text:
            numbers = self._numbers(data, count)
        else:
            dtype = np.dtype(">u2" if self._white > 255 else "u1")
            numbers = np.frombuffer(data, dtype, min(count, (len(data) - self._start) // dtype.itemsize), self._start)
        if len(numbers) < count:
            raise ImageError("truncated", f"it has {len(numbers)} values where its sides ask for {count}")
        values = numbers[:count].reshape(height, width, self._channels)
        if self._text and (values.min() < 0 or values.max() > self._white):
            raise ImageError("unreadable", f"it has values beyond the {self._white} that it says is white")
        if self._form == 1:
            return Image.fromarray((255 * (1 - values[..., 0])).astype(np.uint8))
        if self._white > 255:
            return Samples(values, declared=None if self._white == 65535 else Range(0, self._white))
        shades = [min(255, round(value / self._white * 255)) for value in range(256)]
        picture = np.array(shades, dtype=np.uint8)[values]
        return Image.fromarray(picture[..., 0] if self._channels == 1 else picture)

    def _numbers(self, data: bytes, count: int) -> NDArray[Any]:
        """The numbers of text, of which `count` are expected."""
        if len(data) - self._start > _VALUE_BYTES * count + _HEADER_BYTES:
            raise ImageError("unreadable", f"{len(data)} bytes of text are too many for its {count} values")
        text = _COMMENT.sub(b"", data[self._start :]).rstrip(b"\0")
        if self._form == 1:  # digits, which nothing needs to part
            return np.frombuffer(text.translate(None, b" \t\r\n\f\v"), np.uint8).astype(np.int32) - ord("0")
        return np.fromstring(text, dtype=np.int32, sep=" ")
