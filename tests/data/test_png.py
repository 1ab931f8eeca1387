"""PNG files whose metadata is large: what Pillow refuses, and what it costs to read them."""

import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image
from pixel_files import png, png16

from frostline.data.images import decode
from frostline.errors import ImageError

LIMITS = {"min_side": 1, "max_pixels": 1_000_000}
PICTURE = np.arange(40 * 30 * 3, dtype=np.uint8).reshape(30, 40, 3)
ROWS = b"".join(b"\0" + row.tobytes() for row in PICTURE)
LARGE = zlib.compress(bytes(30_000_000))
CHUNKS = {
    "zTXt": (b"zTXt", b"Comment\0\0" + LARGE),
    "iTXt": (b"iTXt", b"Comment\0\1\0en\0Kommentar\0" + LARGE),
    "iCCP": (b"iCCP", b"profile\0\0" + LARGE),
    "iTXt, plain": (b"iTXt", b"Comment\0\0\0\0\0" + b"x" * 70_000_000),
    "tEXt": (b"tEXt", b"Comment\0" + b"x" * 70_000_000),
    "many": (b"tEXt", b"Comment\0" + b"x" * 900_000),
    "damaged": (b"zTXt", b"Comment\0\0" + b"no zlib stream"),
    "cut": (b"iTXt", b"Comment"),
}


@pytest.mark.parametrize("name", CHUNKS)
def test_large_metadata_does_not_keep_a_picture_out(name: str) -> None:
    extra = [CHUNKS[name]] * (80 if name == "many" else 1)
    data = png((40, 30), 8, 2, ROWS, *extra)
    tracemalloc.start()
    picture = np.asarray(decode(data, **LIMITS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(picture, PICTURE)
    assert peak < 5_000_000 + len(data)


def test_very_many_small_chunks_are_refused() -> None:
    with pytest.raises(ImageError, match=r"unreadable: a PNG of .* bytes in more than 20000 chunks"):
        decode(png((40, 30), 8, 2, ROWS, *[(b"prVt", b"")] * 30_000), **LIMITS)


def test_zeros_after_a_picture_are_not_gone_through() -> None:
    assert np.array_equal(decode(png((40, 30), 8, 2, ROWS) + bytes(100_000_000), **LIMITS), PICTURE)


def test_an_orientation_survives_large_texts() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    extra = [CHUNKS["zTXt"], (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")), CHUNKS["iCCP"]]
    assert np.array_equal(decode(png((40, 30), 8, 2, ROWS, *extra), **LIMITS), np.rot90(PICTURE, -1))
    wide = np.asarray(decode(png16(PICTURE.astype("u2") * 257, *extra), **LIMITS))
    assert np.array_equal(wide, np.rot90(PICTURE, -1))


def test_an_orientation_in_xmp_is_kept() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    extra = [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp), CHUNKS["tEXt"]]
    assert np.array_equal(decode(png((40, 30), 8, 2, ROWS, *extra), **LIMITS), PICTURE[::-1, ::-1])
