"""TIFF of more than 8 bits, and in layouts that Pillow does not know, by tifffile."""

import math
import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, PLANARCONFIG, TiffFile, TiffPage

from frostline.data.formats.jpeg import check_scans, frame_sides
from frostline.data.levels import Range
from frostline.data.samples import Samples
from frostline.errors import ImageError

__all__ = ["TiffReader", "is_tiff", "open_tiff"]

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_CHANNELS = {PHOTOMETRIC.MINISWHITE: 1, PHOTOMETRIC.MINISBLACK: 1, PHOTOMETRIC.RGB: 3, PHOTOMETRIC.SEPARATED: 4}
_ALPHA = (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)
_MAX_SAMPLE_VALUE = (281, 341)
_ORIENTATION = 274
_NODATA = 42113
_NUMBERS = ("imagewidth", "imagelength", "tilewidth", "tilelength", "samplesperpixel", "bitspersample", "planarconfig")
# Each takes its own time and memory, however small it is: a picture of 100 million pixels has 25,000 tiles of 64.
_STRIPS = 50_000
_STRIP_TAGS = (273, 279, 324, 325)
# Of these a decoder takes the size from the strip itself, which may differ from what the tags say; JPEG's is checked.
_PACKED = (
    *(COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.DEFLATE, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.PACKBITS),
    *(COMPRESSION.LZMA, COMPRESSION.ZSTD, COMPRESSION.JPEG),
)
# Bits per sample, offsets and sizes of strips and tiles, JPEG tables.
_PLACES = (258, 273, 279, 324, 325, 347)


def is_tiff(stream: BinaryIO) -> bool:
    """Whether the file begins as a TIFF does."""
    magic = stream.read(4)
    stream.seek(0)
    return magic in _MAGIC


def open_tiff(stream: BinaryIO) -> "TiffReader | None":
    """The first picture of a TIFF; None for other files, and for those that tifffile does not understand.

    Raises ImageError (unreadable) for more than 50,000 strips or tiles.
    """
    if not is_tiff(stream):
        return None
    if (strips := _strips(stream)) > _STRIPS:
        raise ImageError("unreadable", f"a TIFF of {strips} strips or tiles; {_STRIPS} are read. Save it anew")
    try:
        page = TiffFile(stream).pages.first
    except Exception:  # a damaged file; Pillow then says what is wrong with it
        return None
    sound = isinstance(page, TiffPage) and all(isinstance(getattr(page, name), int) for name in _NUMBERS)
    return TiffReader(page) if sound and page.imagewidth and page.imagelength else None


def _strips(stream: BinaryIO) -> int:
    """How many strips or tiles the first picture says that it has."""
    head = stream.read(16)
    order, big = "<" if head.startswith(b"II") else ">", b"+" in head[:4]
    try:
        (start,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", head, 8 if big else 4)
        stream.seek(start)
        (tags,) = struct.unpack(f"{order}Q", stream.read(8)) if big else struct.unpack(f"{order}H", stream.read(2))
        entries = stream.read(min(tags, 1 << 16) * (20 if big else 12))
    except (struct.error, OverflowError, ValueError, OSError):  # damaged: reading it says so
        return 0
    finally:
        stream.seek(0)
    form = struct.Struct(f"{order}HHQ8x" if big else f"{order}HHI4x")
    whole = len(entries) // form.size * form.size
    return max((count for tag, _, count in form.iter_unpack(entries[:whole]) if tag in _STRIP_TAGS), default=0)


def _blacken(values: NDArray[Any], nodata: str | None) -> None:
    """Make values that stand for missing ones, as GDAL names them in a text, the lowest of the others."""
    try:
        missing = values == values.dtype.type(float(nodata or "nan"))
    except (ValueError, OverflowError):  # no number, or none of this dtype
        return
    if missing.any() and not missing.all():
        values[missing] = values.min(where=~missing, initial=values.max())


class TiffReader:
    """The first picture of a TIFF file: its header is read, its pixels are not."""

    copies = 0

    def __init__(self, page: TiffPage) -> None:
        self._page = page
        self.size = (page.imagewidth, page.imagelength)
        self.orientation = int(page.tags.valueof(_ORIENTATION, 1))
        planar = page.planarconfig == PLANARCONFIG.SEPARATE and page.compression != COMPRESSION.JPEG
        self.ordinary = page.bitspersample <= 8 and page.sampleformat == 1 and not planar
        """Whether its samples are whole numbers of at most 8 bits, pixel by pixel: of these Pillow reads most."""

    def cost(self) -> int:
        """Bytes at the peak: the decoded strip or tile, which may be larger than the picture, the whole, 8-bit RGB."""
        page = self._page
        pixels = page.imagewidth * page.imagelength
        samples = page.samplesperpixel * (page.dtype.itemsize if page.dtype else 8)
        return pixels * (samples + 4) + max(pixels, page.tilewidth * page.tilelength) * samples

    def description_end(self) -> int:
        """Where, in the file, the last of its tags ends, or of the values of those that do not end in zeros."""
        tags = list(self._page.tags)
        values = [tag.valueoffset + tag.valuebytecount for tag in tags if tag.code in _PLACES]
        return max(values + [tag.offset + 12 for tag in tags])

    def layout(self) -> tuple[list[tuple[int, int]], int | None, int]:
        """Where strips or tiles begin and end in the file; bytes of a row in one (None: compressed) and of a pixel."""
        page = self._page
        strips = [(start, start + count) for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
        samples = page.samplesperpixel if page.planarconfig == PLANARCONFIG.CONTIG else 1
        bits = samples * page.bitspersample
        row = ((page.tilewidth or page.imagewidth) * bits + 7) // 8
        return strips, row if page.compression == COMPRESSION.NONE else None, max(1, bits // 8)

    def read(self) -> Samples:
        """The values, with what the file says about them.

        Raises ImageError (truncated, unreadable), and what tifffile raises.
        """
        page = self._page
        count = page.samplesperpixel
        photometric = PHOTOMETRIC(page.photometric)
        rgb = photometric == PHOTOMETRIC.MINISBLACK and count in (3, 4)  # as GDAL and tifffile write it by default
        channels = 3 if rgb else _CHANNELS.get(photometric)
        if channels is None or count < channels or page.imagedepth > 1 or page.dtype is None or page.dtype.kind == "c":
            raise ImageError(
                "unreadable",
                f"a TIFF of {count} channels of {page.bitspersample} bits as {photometric.name}; of "
                "more than 8 bits, grey, RGB and CMYK are read, in whole or real numbers. Save it so.",
            )
        self._check_packing()
        lost = any(stop > page.parent.filehandle.size or start == stop for start, stop in self.layout()[0])
        if lost or len(page.dataoffsets) < math.prod(page.chunked):
            raise ImageError("truncated", "some of its strips or tiles lie beyond the end of the file, or nowhere")
        planes = page.asarray(squeeze=False, maxworkers=1)  # [planes, depth, height, width, channels]
        values = planes[0, 0] if len(planes) == 1 else np.moveaxis(planes[:, 0, ..., 0], 0, -1)
        values = values.view(np.uint8) if values.dtype == bool else values
        colours = values[..., :channels]
        _blacken(colours, page.tags.valueof(_NODATA))
        extra = page.extrasamples[0] if page.extrasamples else EXTRASAMPLE.UNASSALPHA
        return Samples(
            colours,
            alpha=values[..., channels] if count > channels and extra in _ALPHA else None,
            premultiplied=extra == EXTRASAMPLE.ASSOCALPHA,
            inverted=page.photometric == PHOTOMETRIC.MINISWHITE,
            declared=self._declared(),
            largest=self._largest(),
        )

    def _check_packing(self) -> None:
        """Raise ImageError (unreadable) where a strip could be larger than the tags say, and `cost` knew."""
        page = self._page
        if page.compression not in _PACKED:
            raise ImageError("unreadable", f"a TIFF of more than 8 bits packed by {page.compression!s}: save it by LZW")
        if page.compression != COMPRESSION.JPEG:
            return
        sides = (page.tilewidth or page.imagewidth, page.tilelength or page.rowsperstrip)
        for start, stop in self.layout()[0]:
            page.parent.filehandle.seek(start)
            data = page.parent.filehandle.read(stop - start)
            check_scans(data)
            width, height = frame_sides(data) or (0, 0)
            if width > sides[0] or height > sides[1]:
                raise ImageError("unreadable", f"a strip of {width} x {height} pixels where its tags say {sides}")

    def _declared(self) -> Range | None:
        """Black and white by the number of bits, where that is not merely the size of a machine's word."""
        bits = self._page.bitspersample
        return Range(0, 2**bits - 1) if self._page.sampleformat == 1 and bits not in (16, 32, 64) else None

    def _largest(self) -> float | None:
        """MaxSampleValue: the standard calls it a statistic, not white, so that it only counts as a value seen."""
        for tag in _MAX_SAMPLE_VALUE:
            value = self._page.tags.valueof(tag)
            if value is not None:
                largest = float(np.max(value))
                nominal = 2.0**self._page.bitspersample - 1
                return largest if np.isfinite(largest) and largest < nominal else None
        return None
