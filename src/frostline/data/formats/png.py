"""PNG: of 16 bits by imagecodecs, since Pillow keeps 8 of them in colour; else by Pillow, without large metadata."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.data.formats.upright import orientation
from frostline.data.levels import Range
from frostline.data.samples import Samples
from frostline.errors import ImageError

__all__ = ["PngReader", "chunks", "open_png"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_COLOURS = {0: 1, 2: 3, 3: 1, 4: 1, 6: 3}
# Pillow refuses a picture for a text or profile of more, once expanded. An orientation takes some hundred bytes.
_METADATA_BYTES = 1 << 20
_CHUNKS = 20_000


def open_png(stream: BinaryIO) -> "PngReader | None":
    """The picture in a PNG file, of which the first 33 bytes are read; None for other files."""
    head = stream.read(33)
    stream.seek(0)
    if len(head) < 33 or head[:8] != _SIGNATURE or head[12:16] != b"IHDR":
        return None
    width, height, bits, kind = struct.unpack(">IIBB", head[16:26])
    return PngReader(stream, (width, height), bits, kind) if kind in _COLOURS else None


class PngReader:
    """A PNG picture: sides, `bits` per sample and PNG's colour type `kind` are known, its pixels not yet."""

    copies = 1  # without large metadata

    def __init__(self, stream: BinaryIO, size: tuple[int, int], bits: int, kind: int) -> None:
        self._stream = stream
        self.size = size
        self._wide = bits == 16
        self._colours = _COLOURS[kind]
        self.orientation = 1

    def cost(self) -> int:
        """Bytes at the peak: 8-bit RGB takes 4 a pixel, what it is made of at most 4, or 2 a sample of 16 bits."""
        width, height = self.size
        return width * height * (4 + (2 * (self._colours + 1) if self._wide else 4))

    def read(self) -> Image.Image | Samples:
        """The picture as Pillow has it or, of 16 bits, its values. Raises what Pillow or imagecodecs raise."""
        data = _without_large_metadata(self._stream.read())
        image = Image.open(BytesIO(data), formats=["PNG"])
        if not self._wide:
            image.load()
        if not self._wide or any(name in (b"eXIf", *_TEXTS) for name, *_ in chunks(data)):
            self.orientation = orientation(image)
        if not self._wide:
            return image
        values = np.atleast_3d(imagecodecs.png_decode(data))
        colours = values[..., : self._colours]
        alpha = values[..., self._colours] if values.shape[2] > self._colours else None
        return Samples(colours, alpha, declared=_declared(data, colours))


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The name of each chunk up to IEND, or to what is no chunk, and where it starts and ends.

    Raises ImageError (unreadable) for so many small ones that going through them would take long.
    """
    start = len(_SIGNATURE)
    for _ in range(_CHUNKS + len(data) // 1024):
        name = data[start + 4 : start + 8]
        if len(name) < 4 or not name.isalpha():
            return
        end = start + int.from_bytes(data[start : start + 4]) + 12
        yield name, start, end
        if name == b"IEND":
            return
        start = end
    raise ImageError("unreadable", f"a PNG of {len(data)} bytes in more than {_CHUNKS} chunks")


def _without_large_metadata(data: bytes) -> bytes:
    """`data` without the texts and colour profiles that would take, expanded, more than a megabyte in all."""
    left, dropped = _METADATA_BYTES, []
    for name, start, end in chunks(data):
        if name == b"IDAT":
            continue
        if name in (*_TEXTS, b"iCCP"):
            size = _expanded(name, data[start + 8 : end - 4], left)
            if size > left:
                dropped.append((start, end))
            else:
                left -= size
    if not dropped:
        return data
    starts, ends = zip(*dropped, strict=True)
    return b"".join(data[a:b] for a, b in zip((0, *ends), (*starts, len(data)), strict=True))


def _expanded(name: bytes, content: bytes, limit: int) -> int:
    """The bytes that a text or profile takes without compression, counted up to a little more than `limit`."""
    start = content.find(b"\0") + 2
    if name == b"iTXt":  # keyword, compression flag and method, language, translated keyword, text
        if content[start - 1 : start] != b"\1":
            return len(content)
        start = content.find(b"\0", content.find(b"\0", start + 1) + 1) + 1
    elif name == b"tEXt":
        return len(content)
    try:
        return len(zlib.decompressobj().decompress(content[start:], limit + 1))
    except zlib.error:
        return len(content)


def _declared(data: bytes, values: NDArray[Any]) -> Range | None:
    """Black and white by the chunk sBIT: k bits are significant.

    PNG wants them scaled to all 16, so that white is 65535; files that are written otherwise hold values up to 2^k - 1.
    Which of the two a file does shows in its values; if they show neither, sBIT says nothing.
    """
    content = next((data[start + 8 : end - 4] for name, start, end in chunks(data) if name == b"sBIT"), b"")
    bits = max(content[: values.shape[2]], default=16)
    if not 0 < bits < 16:
        return None
    seen = np.zeros(1 << 16, dtype=bool)
    for row in values:
        seen[row] = True
    found = np.flatnonzero(seen)
    shift, largest = 16 - bits, (1 << bits) - 1
    significant = found >> shift
    if np.all((found == significant << shift) | (np.abs(found - significant * (65535 / largest)) <= 1)):
        return Range(0, 65535)
    return Range(0, largest) if found[-1] <= largest else None
