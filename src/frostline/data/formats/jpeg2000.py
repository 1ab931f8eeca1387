"""JPEG 2000 of more than 8 bits, by imagecodecs: Pillow keeps 8 bits of colour."""

import struct
from typing import BinaryIO

import imagecodecs
import numpy as np

from frostline.data.levels import Range
from frostline.data.samples import Samples
from frostline.errors import ImageError

__all__ = ["Jpeg2000Reader", "open_jpeg2000"]

_SIGNATURES = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_SIZES = b"\xff\x4f\xff\x51"
_HEADER_BYTES = 1 << 20


def open_jpeg2000(stream: BinaryIO) -> "Jpeg2000Reader | None":
    """The picture in a JPEG 2000 file of more than 8 bits; None for other files. Raises ImageError (unreadable)."""
    head = stream.read(8)
    if not head.startswith(_SIGNATURES):
        stream.seek(0)
        return None
    head += stream.read(_HEADER_BYTES)
    stream.seek(0)
    sizes = head.find(_SIZES) + len(_SIZES) + 4
    if sizes < 8 or len(head) < sizes + 35:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", head, sizes)
    (channels, depth) = struct.unpack_from(">HB", head, sizes + 32)
    bits = (depth & 0x7F) + 1
    if channels > 4:
        raise ImageError("unreadable", f"a JPEG 2000 file of {channels} channels; grey and RGB are read. Save it so")
    if bits <= 8:
        return None
    return Jpeg2000Reader(stream, (right - left, bottom - top), channels, bits, signed=bool(depth & 0x80))


class Jpeg2000Reader:
    """A JPEG 2000 picture of more than 8 bits."""

    copies = 0
    orientation = 1

    def __init__(self, stream: BinaryIO, size: tuple[int, int], channels: int, bits: int, *, signed: bool) -> None:
        self._stream = stream
        self.size = size
        self._channels = channels
        self._declared = Range(0, 2**bits - 1) if bits < 16 and not signed else None

    def cost(self) -> int:
        """Bytes at the peak: the codec works on 32-bit numbers, twice; then the values and 8-bit RGB."""
        width, height = self.size
        return width * height * (4 + 10 * self._channels)

    def read(self) -> Samples:
        """The values. Raises what imagecodecs raises."""
        values = np.atleast_3d(imagecodecs.jpeg2k_decode(self._stream.read()))
        count = values.shape[2]
        colours = count - 1 if count in (2, 4) else count
        alpha = values[..., colours] if colours < count else None
        return Samples(values[..., :colours], alpha, declared=self._declared)
