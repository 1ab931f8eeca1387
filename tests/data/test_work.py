"""Files that are small and cheap by their header, and would take minutes or gigabytes."""

import struct
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pixel_files import pillow, raw_tiff, tiff

from frostline.data.formats.jpeg import scans
from frostline.data.images import decode, decode_cost, load_square
from frostline.errors import ImageError

LIMITS = {"min_side": 1, "max_pixels": 10_000_000}
GREY = np.tile(np.arange(0, 128, 2, dtype=np.uint8), (48, 1))
PROGRESSIVE = pillow(GREY, "JPEG", "L", progressive=True)


def with_scans(more: int, filler: bytes = b"") -> bytes:
    """A progressive JPEG that says its last scan over and over, each after `filler`."""
    last = PROGRESSIVE[PROGRESSIVE.rfind(b"\xff\xda") : -2]
    return PROGRESSIVE[:-2] + (filler + last) * more + PROGRESSIVE[-2:]


def strips(count: int, bits: int) -> bytes:
    """A TIFF of `count` rows, each a strip of its own, which all lie at one place."""
    data = bytearray(b"II*\0\0\0\0\0") + bytes(16 * bits // 8)
    tags = {256: (4, 1, 16), 257: (4, 1, count), 258: (3, 1, bits), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    tags |= {273: (4, count, len(data)), 278: (4, 1, 1), 279: (3, count, len(data) + 4 * count)}
    data += np.full(count, 8, "<u4").tobytes() + np.full(count, 16 * bits // 8, "<u2").tobytes()
    data[4:8] = struct.pack("<I", len(data))
    entries = [struct.pack("<HHII", tag, *value) for tag, value in sorted(tags.items())]
    return bytes(data) + struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4)


def packed(strip: bytes, compression: int, bits: int) -> bytes:
    """A TIFF that says it has 16 x 16 pixels, all in `strip`."""
    tags = {256: 16, 257: 16, 258: bits, 259: compression, 262: 1, 273: 8, 277: 1, 278: 16, 279: len(strip)}
    return raw_tiff(tags, strip)


def run_lengths(runs: bytes) -> bytes:
    start = 54 + 1024
    head = struct.pack("<IHHI", start + len(runs), 0, 0, start)
    head += struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + head + bytes(1024) + runs


WIDE = np.zeros((64, 64), dtype=np.uint16)
REFUSED = {
    "scans": (with_scans(200), "a JPEG file of 206 scans, of which 100 are decoded"),
    "scans behind segments": (with_scans(101, b"\xff\xfe\0\2" * 100), "scans, of which 100"),
    "strips of 8 bits": (strips(50_001, 8), "a TIFF of 50001 strips"),
    "strips of 16 bits": (strips(50_001, 16), "a TIFF of 50001 strips"),
    "a larger JPEG strip": (
        packed(imagecodecs.jpeg8_encode(WIDE, bitspersample=12), 7, 12),
        "a strip of 64 x 64 pixels where its tags say",
    ),
    "a larger JPEG 2000 strip": (packed(imagecodecs.jpeg2k_encode(WIDE, codecformat="j2k"), 34712, 16), "save it by"),
    "run lengths": (run_lengths(b"\0\0" * 2_000_001), "a BMP of .* bytes of run lengths"),
    "text without end": (b"P3 4 4 255\n" + b"9 " * 100_000, "bytes of text are too many for its 48 values"),
    "comments": (b"P1 4 4\n" + b"# c\n" * 100_000 + b"1 " * 16, "bytes of text are too many for its 16 values"),
    "a comment as header": (b"P5 4 #" + b"c" * 100_000 + b"\n4 255\n" + bytes(16), "its header has more than"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_far_more_work_than_its_pixels_is_refused(name: str) -> None:
    data, words = REFUSED[name]
    with pytest.raises(ImageError, match=words):
        decode(data, **LIMITS)


def test_the_scans_of_a_jpeg_are_counted_up_to_its_end() -> None:
    assert scans(PROGRESSIVE) == 6
    assert scans(pillow(GREY, "JPEG", "L")) == 1
    assert scans(with_scans(20)) == 26
    assert scans(with_scans(3, b"\xff\xfe\0\6\xff\xda\xff\xda")) == 9
    assert scans(PROGRESSIVE + b"\xff\xda" * 500) == 6
    assert scans(b"text \xff\xda") == 0


def test_a_film_behind_a_jpeg_is_no_work() -> None:
    film = np.random.default_rng(0).integers(0, 256, 10_000_000, dtype=np.uint8).tobytes()
    assert film.count(b"\xff\xda") > 100
    square = load_square(PROGRESSIVE + film, 32, "stretch", **LIMITS)
    assert np.array_equal(square, load_square(PROGRESSIVE, 32, "stretch", **LIMITS))


def test_a_file_of_many_scans_costs_memory_once(tmp_path: Path) -> None:
    path = tmp_path / "many.jpg"
    path.write_bytes(with_scans(200))
    assert decode_cost(path) < 2 * decode_cost(PROGRESSIVE)


@pytest.mark.parametrize("gap", [b"", b" ", b"\n# 1 0\n"])
def test_bitmaps_as_text_are_read(gap: bytes) -> None:
    black = GREY > 60
    data = b"P1\n# a comment\n64 48\n" + b"".join(b"%d" % pixel + gap for pixel in black.ravel()[:100])
    data += b"".join(b"%d" % pixel for pixel in black.ravel()[100:])
    seen = np.asarray(decode(data, **LIMITS))
    assert np.array_equal(seen, np.repeat(np.where(black, 0, 255)[..., np.newaxis], 3, axis=2))
    with pytest.raises(ImageError, match="truncated: it has 3071 values"):
        decode(data[:-1], **LIMITS)


def test_jpeg_of_12_bits_inside_a_tiff_is_read() -> None:
    values = GREY.astype(np.uint16) * 16
    file = packed(imagecodecs.jpeg8_encode(values[:16, :16], bitspersample=12, level=97), 7, 12)
    seen = np.asarray(decode(file, **LIMITS), dtype=int)
    assert np.abs(seen[..., 0] - GREY[:16, :16]).max() <= 2


def test_run_lengths_and_many_strips_that_are_honest_are_read() -> None:
    file = BytesIO()
    Image.fromarray(GREY).save(file, "TIFF", compression="tiff_lzw", strip_size=64)
    assert decode(file.getvalue(), **LIMITS).size == (64, 48)
    assert decode(tiff(GREY.astype("u2") * 257, rowsperstrip=1), **LIMITS).size == (64, 48)
    assert decode(run_lengths((b"\x40\7" + b"\0\0") * 64 + b"\0\1"), **LIMITS).size == (64, 64)
