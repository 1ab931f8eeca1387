"""Is the file all there? An interrupted copy often has its full length, with zeros from where it stopped.

Decoders notice that in few formats: they decode zeros. Here the structure of a file is followed to its end. Compressed
pixels do not end in many zeros. Uncompressed ones can: black rows at the end are a picture like any other. They are
taken for lost only if the zeros begin inside a row, below pixels that are not black: no shape is cut off so. Of a copy
that stopped exactly between two rows, nobody can tell.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from frostline.data.formats.gif import TRAILER, blocks
from frostline.data.formats.jpeg import first_scan
from frostline.data.formats.png import chunks
from frostline.data.formats.tiff import open_tiff
from frostline.errors import ImageError

__all__ = ["check_whole"]

# No compressed picture ends in so many zero bytes, and no place of one in a TIFF's tags.
_ZEROS = 32
_TAG_ZEROS = 12
_BLOCK = 1 << 20
# Plain areas make zeros in WebP, up to a twentieth of the file, but for its fastest encoding.
_WEBP_SHARE = 0.08
# Of raw pixels, zeros count from this share of the picture on; what is up to `_DARK` of 255 may be black beside them.
_RAW_SHARE = 0.02
_DARK = 8


@dataclass(frozen=True)
class _Raster:
    """Uncompressed pixels, each of `pixel` bytes, in `rows` rows of `row` bytes from `start` on.

    Rows end in `padding` bytes that are no pixels.
    """

    start: int
    row: int
    rows: int
    pixel: int
    padding: int = 0

    def is_cut(self, data: bytes, end: int) -> bool:
        """Whether the zeros of `data` from `end` on begin inside a row.

        The pixels in the rest of that row are then black; of those above them most must not be.
        """
        row, padding = self.row, self.padding
        if row < 1:
            return False
        rest = (-(end - self.start) % row - padding) // self.pixel
        lost = self.start + row * self.rows - end
        if end - self.start < row or lost < _RAW_SHARE * row * self.rows or rest < 1:
            return False
        next_row = end + -(end - self.start) % row
        above = np.frombuffer(data, np.uint8, rest * self.pixel, next_row - row - padding - rest * self.pixel)
        return bool((above.reshape(-1, self.pixel).max(axis=1) > _DARK).mean() > 0.5)


def check_whole(data: bytes) -> None:
    """Raise ImageError (truncated) if zeros took the place of the end of the picture in the file's bytes, `data`."""
    end = _end(data)
    if len(data) - end < _ZEROS:
        return
    judge = next((judge for pattern, judge in _JUDGES if pattern.match(data)), None)
    if judge and judge(data, end):
        raise ImageError(
            "truncated",
            f"its last {len(data) - end} of {len(data)} bytes are zeros, where pixels belong: copying it was "
            "interrupted, so copy it again",
        )


def _end(data: bytes) -> int:
    """Where the zeros at the end of `data` begin. Block by block, since `rstrip` copies what is left."""
    stop = len(data)
    while stop:
        start = max(0, stop - _BLOCK)
        if block := data[start:stop].rstrip(b"\0"):
            return start + len(block)
        stop = start
    return 0


def _png(data: bytes, end: int) -> bool:
    return not any(name == b"IEND" and start < end for name, start, _ in chunks(data))


def _jpeg(data: bytes, end: int) -> bool:
    scan = first_scan(BytesIO(data))
    return scan is None or data.find(b"\xff\xd9", scan, end) < 0


def _jpeg2000(data: bytes, end: int) -> bool:
    return data.find(b"\xff\xd9", max(0, data.find(b"\xff\x93")), end) < 0


def _gif(data: bytes, end: int) -> bool:
    return not any(kind == TRAILER for kind, _ in blocks(memoryview(data)[: end + _ZEROS]))


def _webp(data: bytes, end: int) -> bool:
    position, whole = 12, int.from_bytes(data[4:8], "little") + 8
    while position + 8 <= min(whole, len(data)):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        lost = position + 8 + size - end
        if name == b"\0\0\0\0" or (name in (b"VP8 ", b"ANMF") and lost > _WEBP_SHARE * size):
            return True
        if name in (b"VP8L", b"ALPH") and lost >= _ZEROS:
            return True
        position += 8 + size + size % 2
    return False


def _avif(data: bytes, end: int) -> bool:
    position, pixels = 0, False
    while position + 8 <= end:
        size, name = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16])
        size = size or len(data) - position
        if position + size >= end + _ZEROS and name in (b"mdat", b"meta"):
            return True
        pixels |= name == b"mdat"
        position += max(size, 8)
    return not pixels


def _bmp(data: bytes, end: int) -> bool:
    start, size = int.from_bytes(data[10:14], "little"), int.from_bytes(data[14:18], "little")
    if size < 40:
        width, height = (int.from_bytes(data[at : at + 2], "little") for at in (18, 20))
        bits, packing = int.from_bytes(data[24:26], "little"), 0
    else:
        width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
        bits, packing = int.from_bytes(data[28:30], "little"), int.from_bytes(data[30:34], "little")
    if packing in (1, 2):  # run lengths end in 0, 1
        return not data[:end].endswith(b"\0\1")
    row = (width * bits + 31) // 32 * 4
    return _Raster(start, row, abs(height), max(1, bits // 8), row - (width * bits + 7) // 8).is_cut(data, end)


def _netpbm(data: bytes, end: int) -> bool:
    if data[1] in b"123":  # text, whose numbers are counted when it is read
        return False
    bitmap = data[1] == ord("4")
    header = (_BITMAP if bitmap else _PIXMAP).match(data)
    if header is None:
        return False
    width, height = int(header[1]), int(header[2])
    pixel = {b"P5": 1, b"P6": 3, b"Pf": 4}.get(data[:2], 1) * (2 if not bitmap and float(header[3]) > 255 else 1)
    return _Raster(header.end(), (width + 7) // 8 if bitmap else width * pixel, height, pixel).is_cut(data, end)


def _tiff(data: bytes, end: int) -> bool:
    where = slice(8, 16) if b"+" in data[:4] else slice(4, 8)
    if int.from_bytes(data[where], "little" if data.startswith(b"II") else "big") >= end:
        return True  # what describes the picture is lost
    reader = open_tiff(BytesIO(data))
    if reader is None:
        return False
    if reader.description_end() >= end + _TAG_ZEROS:
        return True
    strips, row, pixel = reader.layout()
    if row is None:
        return any(stop >= end + _ZEROS for _, stop in strips)
    top = min(start for start, _ in strips)
    for start, stop in strips:
        if start <= end < stop:
            above = (start - top) // row * row
            rows = (max(stop for _, stop in strips) - start + above) // row
            return _Raster(start - above, row, rows, pixel).is_cut(data, end)
    return False


_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_BITMAP = re.compile(rb"P4" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s")
_PIXMAP = re.compile(rb"P[56f]" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(-?\d+(?:\.\d+)?)\s")
_JUDGES: tuple[tuple[re.Pattern[bytes], Callable[[bytes, int], bool]], ...] = (
    (re.compile(rb"\x89PNG"), _png),
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"GIF8"), _gif),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _webp),
    (re.compile(rb".{4}ftyp", re.DOTALL), _avif),
    (re.compile(rb"BM"), _bmp),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), _jpeg2000),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), _tiff),
    (re.compile(rb"P[1-6f]\s"), _netpbm),
)
