"""Which reader takes a file, and what reading it would cost: known from its header, before anything is decoded."""

import stat
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image, UnidentifiedImageError

from frostline.data.budget import DECODE_LIMIT, check_cost
from frostline.data.formats.bmp import check_runs
from frostline.data.formats.gif import check_blocks
from frostline.data.formats.jpeg import open_jpeg
from frostline.data.formats.jpeg2000 import open_jpeg2000
from frostline.data.formats.netpbm import open_netpbm
from frostline.data.formats.png import open_png
from frostline.data.formats.tiff import is_tiff, open_tiff
from frostline.data.formats.upright import orientation
from frostline.data.samples import Samples

__all__ = ["FORMATS", "Reader", "decode_cost", "open_reader", "whole_cost"]

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Raster formats that Pillow decodes itself; JPEG includes MPO. Of the others, some run programs (EPS), and some take
nearly any bytes for an image (TGA)."""

_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
# Bytes a pixel that codecs work with, beside the picture: measured, rounded up.
_CODEC = {"AVIF": 6, "GIF": 4, "JPEG2000": 14, "TIFF": 4, "WEBP": 10}
_PROGRESSIVE_JPEG = 6
_AT_LEAST = 8_000_000
_WEBP_COPIES = 2
_HEAD_BYTES = 1 << 22


class Reader(Protocol):
    """A picture of which the header is read."""

    @property
    def copies(self) -> int:
        """How many copies of the file `read` makes at most."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as stored."""

    @property
    def orientation(self) -> int:
        """EXIF's number for the way up; final after `read`."""

    def cost(self) -> int:
        """Bytes of memory that reading it and making it 8-bit RGB take at the peak, the file apart."""

    def read(self) -> Image.Image | Samples:
        """The picture as stored. Raises what decoders raise, which is nearly any exception."""


def open_reader(stream: BinaryIO) -> Reader:
    """The reader of the picture in `stream`, which stays open for it. Raises ImageError, and what decoders raise."""
    tiff = open_tiff(stream)
    if tiff and not tiff.ordinary:
        return tiff
    reader = open_png(stream) or open_netpbm(stream) or open_jpeg2000(stream) or open_jpeg(stream)
    if reader:
        return reader
    check_blocks(stream)
    check_runs(stream)
    _check_webp(stream)
    try:
        return _PillowReader(Image.open(stream, formats=FORMATS), tiff.cost() if tiff else 0)
    except UnidentifiedImageError:
        if tiff is None:
            raise
        return tiff


def _check_webp(stream: BinaryIO) -> None:
    """Raise ImageError (too_large) for a WebP file that is too large for the copies that Pillow makes in opening it."""
    if stream.read(12)[8:] == b"WEBP":
        check_cost((1 + _WEBP_COPIES) * stream.seek(0, SEEK_END))
    stream.seek(0)


def whole_cost(reader: Reader, size: int) -> int:
    """Bytes that a picture in a file of `size` bytes takes at the peak, the buffers of any picture included."""
    return (1 + reader.copies) * size + reader.cost() + _AT_LEAST


def decode_cost(file: Path | bytes) -> int:
    """Bytes of memory that decoding a picture takes at the peak, its file included, as its header says; never raises.

    Of a file only the first megabytes are read: where these do not tell, it counts as the costliest that is allowed. Of
    what is no picture, or is too large to be read at all, the cost is the size.
    """
    size = 0
    try:
        if isinstance(file, bytes):
            size = len(file)
            return whole_cost(open_reader(BytesIO(file)), size)
        status = file.stat()
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        if not 0 < size <= DECODE_LIMIT:
            return size
        with file.open("rb") as stream:
            head = stream if is_tiff(stream) else BytesIO(stream.read(_HEAD_BYTES))
            return whole_cost(open_reader(head), size)
    except Exception:  # decoding it will say what is wrong
        return DECODE_LIMIT if isinstance(file, Path) and size > _HEAD_BYTES else size


class _PillowReader:
    """What Pillow reads, and reads right."""

    def __init__(self, image: Image.Image, at_least: int) -> None:
        self._image = image
        self._at_least = at_least
        self.copies = _WEBP_COPIES if image.format == "WEBP" else 0
        self.size = image.size
        self.orientation = 1

    def cost(self) -> int:
        image = self._image
        codec = _PROGRESSIVE_JPEG if image.info.get("progressive") else _CODEC.get(image.format or "", 0)
        return max(self._at_least, image.width * image.height * (_STORED.get(image.mode, 4) + 4 + codec))

    def read(self) -> Image.Image | Samples:
        image = self._image
        image.load()
        self.orientation = orientation(image)
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            return Samples(np.asarray(image)[..., np.newaxis])
        return image
