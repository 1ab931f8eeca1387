"""Every mode and layout against the 8-bit picture that it was made from."""

import struct
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pixel_files import OUTCOMES, jpeg12, jpeg2000, netpbm, outcome, packed_tiff, pillow, png16, scaled, tiff

from frostline.data.images import decode, quiet_decoders
from frostline.data.levels import OWN_LEVELS, Levels, Range
from frostline.errors import ImageError

LIMITS = {"min_side": 1, "max_pixels": 1_000_000}
Y, X = np.mgrid[0:48, 0:64]
COLOUR = np.stack([X * 255 // 63, Y * 255 // 47, (X * 2 + Y * 3) % 256], axis=-1).astype(np.uint8)
GREY, TWO = COLOUR[..., 0], COLOUR[..., 0] > 127
OPACITY = np.clip(Y * 6, 0, 255).astype(np.uint8)
CMYK = np.asarray(Image.fromarray(COLOUR).convert("CMYK"))
BINARY = np.asarray(Image.fromarray(GREY).convert("1"))


def over_white(picture: np.ndarray) -> np.ndarray:
    share = OPACITY[..., np.newaxis] / 255
    return (picture if picture.ndim == 3 else np.dstack([picture] * 3)) * share + 255 * (1 - share)


C16, G16, A16 = (scaled(picture, 65535, "uint16") for picture in (COLOUR, GREY, OPACITY))
C12, G12, A12 = (scaled(picture, 4095, "uint16") for picture in (COLOUR, GREY, OPACITY))
S16 = (G16.astype(int) - 32768).astype("int16")
PREMULTIPLIED = (C16 * (A16[..., None] / 65535)).astype("uint16")
RGBA = over_white(COLOUR)

Case = tuple[Callable[..., bytes], np.ndarray]
WIDE: dict[str, Case] = {
    "grey16": (partial(tiff, G16), GREY),
    "grey16 big-endian": (partial(tiff, G16, byteorder=">"), GREY),
    "grey16 tiled": (partial(tiff, G16, tile=(16, 32)), GREY),
    "grey16 in strips": (partial(tiff, G16, rowsperstrip=7), GREY),
    "grey16 white is zero": (partial(tiff, 65535 - G16, "miniswhite"), GREY),
    "grey16 white is zero, big-endian": (partial(tiff, 65535 - G16, "miniswhite", byteorder=">"), GREY),
    "grey16 lzw": (partial(tiff, G16, compression="lzw"), GREY),
    "grey16 deflate, predictor": (partial(tiff, G16, compression="zlib", predictor=True), GREY),
    "grey16 packbits": (partial(tiff, G16, compression="packbits"), GREY),
    "grey16 zstd": (partial(tiff, G16, compression="zstd"), GREY),
    "grey16 bigtiff": (partial(tiff, G16, bigtiff=True), GREY),
    "rgb16": (partial(tiff, C16, "rgb"), COLOUR),
    "rgb16 big-endian": (partial(tiff, C16, "rgb", byteorder=">"), COLOUR),
    "rgb16 planar": (partial(tiff, C16, "rgb", True), COLOUR),
    "rgb16 planar, lzw, strips": (partial(tiff, C16, "rgb", True, compression="lzw", rowsperstrip=5), COLOUR),
    "rgb16 planar, tiled, big-endian": (partial(tiff, C16, "rgb", True, tile=(16, 16), byteorder=">"), COLOUR),
    "rgb16 tiled, predictor": (
        partial(tiff, C16, "rgb", tile=(32, 16), compression="lzw", predictor=True),
        COLOUR,
    ),
    "rgb16 called grey": (partial(tiff, C16), COLOUR),
    "rgba16": (partial(tiff, np.dstack([C16, A16]), "rgb unassalpha"), RGBA),
    "rgba16 planar": (partial(tiff, np.dstack([C16, A16]), "rgb unassalpha", True), RGBA),
    "rgba16 premultiplied": (partial(tiff, np.dstack([PREMULTIPLIED, A16]), "rgb assocalpha"), RGBA),
    "rgbx16": (partial(tiff, np.dstack([C16, A16]), "rgb unspecified"), COLOUR),
    "rgb16, two more bands": (partial(tiff, np.dstack([C16, A16, A16]), "rgb unspecified unspecified"), COLOUR),
    "la16": (partial(tiff, np.dstack([G16, A16]), "minisblack unassalpha"), over_white(GREY)),
    "grey16, another band": (partial(tiff, np.dstack([G16, A16]), "minisblack unspecified"), GREY),
    "six bands, the first of them grey": (
        partial(tiff, np.dstack([C16, C16]), "minisblack" + 5 * " unspecified"),
        GREY,
    ),
    "cmyk16": (partial(tiff, scaled(CMYK, 65535, "uint16"), "separated"), COLOUR),
    "cmyk16 planar": (partial(tiff, scaled(CMYK, 65535, "uint16"), "separated", True), COLOUR),
    "grey32": (partial(tiff, scaled(GREY, 2**32 - 1, "uint32")), GREY),
    "grey32 white is zero": (partial(tiff, scaled(255 - GREY, 2**32 - 1, "uint32"), "miniswhite"), GREY),
    "rgb32": (partial(tiff, scaled(COLOUR, 2**32 - 1, "uint32"), "rgb"), COLOUR),
    "grey64": (partial(tiff, scaled(GREY, 2**40 - 1, "uint64")), GREY),
    "signed 8": (partial(tiff, (GREY.astype(int) - 128).astype("int8")), GREY),
    "signed 16": (partial(tiff, S16), GREY),
    "signed 16, big-endian": (partial(tiff, S16, byteorder=">"), GREY),
    "signed 16, no negatives": (partial(tiff, scaled(GREY, 32767, "int16")), GREY),
    "signed 32": (partial(tiff, (G16.astype(int) - 40000).astype("int32")), GREY),
    "float16": (partial(tiff, scaled(GREY, 1, "float16")), GREY),
    "float32": (partial(tiff, scaled(GREY, 1, "float32")), GREY),
    "float32 white is zero": (partial(tiff, scaled(255 - GREY, 1, "float32"), "miniswhite"), GREY),
    "float32 predictor": (partial(tiff, scaled(GREY, 1, "float32"), compression="zlib", predictor=True), GREY),
    "float64": (partial(tiff, scaled(GREY, 1, "float64")), GREY),
    "float64 big-endian to 255": (partial(tiff, scaled(GREY, 255, "float64"), byteorder=">"), GREY),
    "float rgb": (partial(tiff, scaled(COLOUR, 1, "float32"), "rgb"), COLOUR),
    "float rgb planar": (partial(tiff, scaled(COLOUR, 65535, "float32"), "rgb", True), COLOUR),
    "float64 rgb": (partial(tiff, scaled(COLOUR, 255, "float64"), "rgb"), COLOUR),
    "float rgba": (partial(tiff, (np.dstack([COLOUR, OPACITY]) / 255).astype("f4"), "rgb unassalpha"), RGBA),
    "png16": (partial(png16, G16), GREY),
    "png16 colour": (partial(png16, C16), COLOUR),
    "png16 la": (partial(png16, np.dstack([G16, A16])), over_white(GREY)),
    "png16 rgba": (partial(png16, np.dstack([C16, A16])), RGBA),
    "png16, one shade transparent": (
        partial(png16, G16, (b"tRNS", struct.pack(">H", G16[0, 9]))),
        np.where(GREY[0, 9] == GREY, 255, GREY),
    ),
    "ppm to 65535": (partial(netpbm, 6, C16, 65535), COLOUR),
    "pfm": (partial(pillow, GREY, "PPM", "F"), GREY),
    "jpeg 2000 of 16 bits": (partial(jpeg2000, G16, 16), GREY),
    "jpeg 2000 of 16 bits, colour": (partial(jpeg2000, C16, 16), COLOUR),
}
LOW: dict[str, Case] = {
    "12 in 16": (partial(tiff, G12), GREY),
    "12 in 16, white is zero": (partial(tiff, 4095 - G12, "miniswhite"), GREY),
    "12 in 16, colour": (partial(tiff, C12, "rgb"), COLOUR),
    "12 in 16, alpha": (partial(tiff, np.dstack([C12, A12]), "rgb unassalpha"), RGBA),
    "12 in 16, alpha of 16": (partial(tiff, np.dstack([C12, A16]), "rgb unassalpha"), RGBA),
    "10 in 16": (partial(tiff, scaled(GREY, 1023, "uint16")), GREY),
    "14 in 16, planar": (partial(tiff, scaled(COLOUR, 16383, "uint16"), "rgb", True), COLOUR),
    "8 in 16": (partial(tiff, GREY.astype("uint16")), GREY),
    "12 in 32": (partial(tiff, scaled(GREY, 4095, "uint32")), GREY),
    "12 in signed 32": (partial(tiff, scaled(GREY, 4095, "int32")), GREY),
    "20 in 32": (partial(tiff, scaled(GREY, 2**20 - 1, "uint32")), GREY),
    "12 in float": (partial(tiff, scaled(GREY, 4095, "float32")), GREY),
    "float to 1.5": (partial(tiff, scaled(GREY, 1.5, "float32")), GREY),
    "12 packed": (partial(tiff, G12 // 2, bitspersample=12), GREY / 2),
    "10 packed": (partial(tiff, scaled(GREY, 1023, "uint16"), bitspersample=10), GREY),
    "12 packed, big-endian": (partial(packed_tiff, G12 // 2, 12, 1), GREY / 2),
    "14 packed, white is zero": (partial(packed_tiff, 16383 - scaled(GREY, 16383, "uint16"), 14, 0), GREY),
    "largest value named": (partial(tiff, G12 // 4, extratags=[(281, "H", 1, 4095, True)]), GREY / 4),
    "12 in png16": (partial(png16, G12), GREY),
    "12 in png16, colour": (partial(png16, C12), COLOUR),
    "12 significant, not scaled": (partial(png16, G12 // 2, (b"sBIT", b"\x0c")), GREY / 2),
    "12 significant, scaled": (partial(png16, (G12 << 4) // 32 * 16, (b"sBIT", b"\x0c")), GREY / 2),
    "10 significant, colour": (
        partial(png16, scaled(COLOUR, 1023, "uint16") // 2, (b"sBIT", b"\x0a\x0a\x0a")),
        COLOUR / 2,
    ),
    "pgm to 4095": (partial(netpbm, 5, G12 // 2, 4095), GREY / 2),
    "pgm to 4095 as text": (partial(netpbm, 2, G12 // 2, 4095), GREY / 2),
    "ppm to 4095": (partial(netpbm, 6, C12 // 2, 4095), COLOUR / 2),
    "ppm to 1000 as text": (partial(netpbm, 3, scaled(COLOUR, 500, "uint16"), 1000), COLOUR / 2),
    "12 in pgm to 65535": (partial(netpbm, 5, G12, 65535), GREY),
    "12 in ppm to 65535": (partial(netpbm, 6, C12, 65535), COLOUR),
    "12 in ppm to 65535 as text": (partial(netpbm, 3, C12, 65535), COLOUR),
    "12 in jpeg 2000 of 16": (partial(jpeg2000, C12, 16), COLOUR),
    "jpeg 2000 of 12 bits": (partial(jpeg2000, G12 // 2, 12), GREY / 2),
}
NARROW: dict[str, Case] = {
    "grey8 white is zero": (partial(tiff, 255 - GREY, "miniswhite"), GREY),
    "grey8 white is zero, lzw": (partial(tiff, 255 - GREY, "miniswhite", compression="lzw"), GREY),
    "grey8 white is zero, tiled": (partial(tiff, 255 - GREY, "miniswhite", tile=(16, 16)), GREY),
    "rgb8 planar": (partial(tiff, COLOUR, "rgb", True), COLOUR),
    "rgb8 planar, lzw, strips": (partial(tiff, COLOUR, "rgb", True, compression="lzw", rowsperstrip=5), COLOUR),
    "rgb8 planar, tiled": (partial(tiff, COLOUR, "rgb", True, tile=(16, 16)), COLOUR),
    "rgb8 tiled": (partial(tiff, COLOUR, "rgb", tile=(16, 32), compression="zlib"), COLOUR),
    "rgba8 planar": (partial(tiff, np.dstack([COLOUR, OPACITY]), "rgb unassalpha", True), RGBA),
    "rgb8, four more bands": (
        partial(tiff, np.dstack([COLOUR] + [OPACITY] * 4), "rgb" + 4 * " unspecified"),
        COLOUR,
    ),
    "la8": (partial(tiff, np.dstack([GREY, OPACITY]), "minisblack unassalpha"), over_white(GREY)),
    "la8 planar": (partial(tiff, np.dstack([GREY, OPACITY]), "minisblack unassalpha", True), over_white(GREY)),
    "cmyk8": (partial(tiff, CMYK, "separated"), COLOUR),
    "cmyk8 planar": (partial(tiff, CMYK, "separated", True), COLOUR),
    "bilevel": (partial(tiff, TWO), TWO * 255),
    "bilevel white is zero": (partial(tiff, ~TWO, "miniswhite"), TWO * 255),
    "bilevel white is zero, packbits": (partial(tiff, ~TWO, "miniswhite", compression="packbits"), TWO * 255),
    "bilevel fax": (partial(pillow, GREY, "TIFF", "1", compression="group4"), BINARY * 255),
    "pgm": (partial(netpbm, 5, GREY, 255), GREY),
    "pgm to 100": (partial(netpbm, 5, scaled(GREY, 100, "uint8"), 100), scaled(GREY, 100, "uint8") * 2.55),
    "ppm as text": (partial(netpbm, 3, COLOUR, 255), COLOUR),
}
LOSSY: dict[str, Case] = {
    "jpeg of 12 bits": (partial(jpeg12, G12), GREY),
    "jpeg of 12 bits, colour": (partial(jpeg12, C12), COLOUR),
    "jpeg cmyk": (partial(pillow, COLOUR, "JPEG", "CMYK", quality=100, subsampling=0), COLOUR),
    "tiff jpeg": (partial(tiff, COLOUR, "rgb", compression="jpeg"), COLOUR),
    "la8 premultiplied": (
        partial(tiff, np.dstack([GREY * (OPACITY / 255), OPACITY]).astype("uint8"), "minisblack assocalpha"),
        over_white(GREY),
    ),
    "rgba8 premultiplied": (
        partial(tiff, (np.dstack([PREMULTIPLIED, A16]) / 257).astype("uint8"), "rgb assocalpha"),
        RGBA,
    ),
}
ALL = WIDE | LOW | NARROW | LOSSY


def seen(data: bytes, levels: Levels = OWN_LEVELS) -> np.ndarray:
    with quiet_decoders():
        return np.asarray(decode(data, **LIMITS, levels=levels)).astype(int)


@pytest.mark.parametrize("name", ALL)
def test_a_file_gives_the_picture_that_it_was_made_from(name: str) -> None:
    make, truth = ALL[name]
    difference = np.abs(seen(make()) - (truth if truth.ndim == 3 else np.dstack([truth] * 3)))
    assert difference.mean() < 2
    assert name in LOSSY or difference.max() < 1.01


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_raise_nothing_but_image_errors(data: st.DataObject) -> None:
    content = bytearray(ALL[data.draw(st.sampled_from(sorted(ALL)))][0]())
    for _ in range(data.draw(st.integers(1, 6))):
        places = st.integers(0, 400) | st.integers(-400, -1)
        content[data.draw(places) % len(content)] = data.draw(st.integers(0, 255))
    assert outcome(bytes(content), **LIMITS) in OUTCOMES


def test_missing_values_are_black() -> None:
    for dtype, missing in (("float32", "-9999"), ("int16", "-32768"), ("uint16", "65535"), ("float64", "nan")):
        values = np.where(TWO, scaled(GREY, 4095, "float64"), float(missing)).astype(dtype)
        got = seen(tiff(values, extratags=[(42113, "s", 0, missing, True)]))[..., 0]
        assert got[TWO].max() == 255
        assert got[~TWO].max() <= got[TWO].min()
    assert seen(tiff(G16, extratags=[(42113, "s", 0, "no number", True)])).max() == 255


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_wide_picture_is_turned_upright(orientation: int) -> None:
    turned = np.rot90(COLOUR, {1: 0, 3: 2, 6: -1}[orientation])
    assert np.array_equal(seen(tiff(C16, "rgb", extratags=[(274, "H", 1, orientation, True)])), turned)


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize("value", [0, 7, 60_000])
def test_a_picture_of_one_value_is_a_picture(dtype: str, value: int) -> None:
    assert len(np.unique(seen(tiff(np.full((20, 20), value, dtype))))) == 1


@pytest.mark.parametrize(
    ("levels", "expected"),
    [(Levels(Range(0, 4095)), 255), (Levels(Range(0, 65535)), 16), (Levels(Range(-4095, 4095)), 255)],
)
def test_the_levels_of_the_data_set_hold_and_values_beyond_are_clipped(levels: Levels, expected: int) -> None:
    assert seen(tiff(G12), levels).max() == expected
    assert seen(tiff(G16), Levels(Range(0, 4095))).max() == 255


def test_what_a_file_declares_goes_before_the_levels() -> None:
    for name in ("12 packed", "pgm to 4095", "12 significant, not scaled", "jpeg 2000 of 12 bits"):
        assert np.array_equal(seen(LOW[name][0](), Levels(Range(0, 65535))), seen(LOW[name][0]()))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(C16, "cielab"), "unreadable: a TIFF of 3 channels of 16 bits as CIELAB.* Save it so"),
        (tiff(G16.astype("complex64")), "of more than 8 bits, grey, RGB and CMYK are read, in whole or real numbers"),
        (tiff(G16)[:-2], "truncated: some of its strips or tiles lie beyond the end of the file"),
        (png16(G16)[:-40], "truncated"),
        (netpbm(5, G12, 4095)[:-2], "truncated: it has 3071 values where its sides ask for 3072"),
        (netpbm(2, G12, 4000), "unreadable: it has values beyond the 4000 that it says is white"),
        (jpeg2000(np.dstack([C16, C16]), 16), "unreadable: a JPEG 2000 file of 6 channels"),
    ],
    ids=["lab", "complex", "cut tiff", "cut png", "cut pgm", "beyond", "channels"],
)
def test_what_cannot_be_read_says_so(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        decode(data, **LIMITS)
