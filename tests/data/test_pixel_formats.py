"""Every mode and layout against the 8-bit picture that it was made from."""

import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from frostline.data.images import decode, decode_cost, quiet_pillow
from frostline.data.levels import Levels, Range

LIMITS = {"min_side": 1, "max_pixels": 1_000_000}
Y, X = np.mgrid[0:48, 0:64]
COLOUR = np.stack([X * 255 // 63, Y * 255 // 47, (X * 2 + Y * 3) % 256], axis=-1).astype(np.uint8)
GREY = COLOUR[..., 0]
OPACITY = np.clip(Y * 6, 0, 255).astype(np.uint8)


def scaled(picture: np.ndarray, white: float, dtype: str) -> np.ndarray:
    """Values from 0 to `white`, as `picture` has them from 0 to 255."""
    values = picture / 255 * white
    return (np.rint(values) if np.dtype(dtype).kind in "iu" else values).astype(dtype)


def tiff(picture: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, picture, **options)
    return file.getvalue()


def pillow(picture: np.ndarray, form: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(file, form, **options)
    return file.getvalue()


def seen(data: bytes, levels: Levels = Levels()) -> np.ndarray:
    with quiet_pillow():
        return np.asarray(decode(data, **LIMITS, levels=levels)).astype(int)


def over_white(picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    share = opacity[..., np.newaxis] / 255
    return picture * share + 255 * (1 - share)


def planes(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(picture, -1, 0))


C16, G16 = scaled(COLOUR, 65535, "uint16"), scaled(GREY, 65535, "uint16")
C12, G12 = scaled(COLOUR, 4095, "uint16"), scaled(GREY, 4095, "uint16")
A16 = scaled(OPACITY, 65535, "uint16")
RGBA16 = np.dstack([C16, A16])
CMYK = np.asarray(Image.fromarray(COLOUR).convert("CMYK"))


def png(width: int, height: int, bits: int, kind: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def png16(picture: np.ndarray, *extra: tuple[bytes, bytes]) -> bytes:
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[1 if picture.ndim == 2 else picture.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in picture)
    return png(picture.shape[1], picture.shape[0], 16, kind, rows, *extra)


def netpbm(form: int, picture: np.ndarray, white: int) -> bytes:
    head = f"P{form}\n# a comment\n{picture.shape[1]} {picture.shape[0]}\n{white}\n".encode()
    if form in (2, 3):
        return head + b"# another\n" + " ".join(map(str, picture.ravel())).encode()
    return head + picture.astype(">u2" if white > 255 else "u1").tobytes()


def jpeg2000(picture: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(picture, bitspersample=bits, reversible=True, level=0, codecformat="jp2")


def packed_tiff(values: np.ndarray, bits: int, photometric: int) -> bytes:
    """A big-endian TIFF whose samples follow each other without gaps."""
    rows = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(*values.shape, 2), axis=2)[..., 16 - bits :]
    data = np.packbits(rows.reshape(len(values), -1), axis=1).tobytes()
    height, width = values.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height, 279: len(data)}
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack(">2sHI", b"MM", 42, 8 + len(data)) + data + struct.pack(">H", len(tags)) + entries + bytes(4)


def bilevel(picture: np.ndarray) -> np.ndarray:
    return picture > 127


CASES: dict[str, tuple[Callable[[], bytes], np.ndarray]] = {
    # TIFF, 16 bits
    "grey16": (lambda: tiff(G16), GREY),
    "grey16 big-endian": (lambda: tiff(G16, byteorder=">"), GREY),
    "grey16 tiled": (lambda: tiff(G16, tile=(16, 32)), GREY),
    "grey16 in strips": (lambda: tiff(G16, rowsperstrip=7), GREY),
    "grey16 white is zero": (lambda: tiff(65535 - G16, photometric="miniswhite"), GREY),
    "grey16 white is zero, big-endian": (lambda: tiff(65535 - G16, photometric="miniswhite", byteorder=">"), GREY),
    "grey16 lzw": (lambda: tiff(G16, compression="lzw"), GREY),
    "grey16 deflate": (lambda: tiff(G16, compression="zlib"), GREY),
    "grey16 deflate with predictor": (lambda: tiff(G16, compression="zlib", predictor=True), GREY),
    "grey16 packbits": (lambda: tiff(G16, compression="packbits"), GREY),
    "grey16 zstd": (lambda: tiff(G16, compression="zstd"), GREY),
    "grey16 bigtiff": (lambda: tiff(G16, bigtiff=True), GREY),
    "rgb16": (lambda: tiff(C16, photometric="rgb"), COLOUR),
    "rgb16 big-endian": (lambda: tiff(C16, photometric="rgb", byteorder=">"), COLOUR),
    "rgb16 planar": (lambda: tiff(planes(C16), photometric="rgb", planarconfig="separate"), COLOUR),
    "rgb16 planar, lzw, in strips": (
        lambda: tiff(planes(C16), photometric="rgb", planarconfig="separate", compression="lzw", rowsperstrip=5),
        COLOUR,
    ),
    "rgb16 planar, tiled, big-endian": (
        lambda: tiff(planes(C16), photometric="rgb", planarconfig="separate", tile=(16, 16), byteorder=">"),
        COLOUR,
    ),
    "rgb16 tiled, with predictor": (
        lambda: tiff(C16, photometric="rgb", tile=(32, 16), compression="lzw", predictor=True),
        COLOUR,
    ),
    "rgb16 called grey": (lambda: tiff(C16, photometric="minisblack", planarconfig="contig"), COLOUR),
    "rgba16": (lambda: tiff(RGBA16, photometric="rgb", extrasamples=["unassalpha"]), over_white(COLOUR, OPACITY)),
    "rgba16 planar": (
        lambda: tiff(planes(RGBA16), photometric="rgb", planarconfig="separate", extrasamples=["unassalpha"]),
        over_white(COLOUR, OPACITY),
    ),
    "rgba16 associated": (
        lambda: tiff(
            np.dstack([(C16 * (A16[..., None] / 65535)).astype("uint16"), A16]),
            photometric="rgb",
            extrasamples=["assocalpha"],
        ),
        over_white(COLOUR, OPACITY),
    ),
    "rgbx16": (lambda: tiff(RGBA16, photometric="rgb", extrasamples=["unspecified"]), COLOUR),
    "rgb16 with two more bands": (
        lambda: tiff(np.dstack([C16, A16, A16]), photometric="rgb", extrasamples=["unspecified"] * 2),
        COLOUR,
    ),
    "la16": (
        lambda: tiff(
            np.dstack([G16, A16]), photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
        ),
        over_white(np.dstack([GREY] * 3), OPACITY),
    ),
    "grey16 with another band": (
        lambda: tiff(
            np.dstack([G16, A16]), photometric="minisblack", planarconfig="contig", extrasamples=["unspecified"]
        ),
        GREY,
    ),
    "cmyk16": (lambda: tiff(scaled(CMYK, 65535, "uint16"), photometric="separated"), COLOUR),
    "cmyk16 planar": (
        lambda: tiff(planes(scaled(CMYK, 65535, "uint16")), photometric="separated", planarconfig="separate"),
        COLOUR,
    ),
    # TIFF, other wide samples
    "grey32": (lambda: tiff(scaled(GREY, 2**32 - 1, "uint32")), GREY),
    "grey32 white is zero": (lambda: tiff(scaled(255 - GREY, 2**32 - 1, "uint32"), photometric="miniswhite"), GREY),
    "rgb32": (lambda: tiff(scaled(COLOUR, 2**32 - 1, "uint32"), photometric="rgb"), COLOUR),
    "grey64": (lambda: tiff(scaled(GREY, 2**40 - 1, "uint64")), GREY),
    "signed 8": (lambda: tiff((GREY.astype(int) - 128).astype("int8")), GREY),
    "signed 16": (lambda: tiff((G16.astype(int) - 32768).astype("int16")), GREY),
    "signed 16 without negatives": (lambda: tiff(scaled(GREY, 32767, "int16")), GREY),
    "signed 16, big-endian": (lambda: tiff((G16.astype(int) - 32768).astype("int16"), byteorder=">"), GREY),
    "signed 32": (lambda: tiff((G16.astype(int) - 40000).astype("int32")), GREY),
    "float16": (lambda: tiff(scaled(GREY, 1, "float16")), GREY),
    "float32": (lambda: tiff(scaled(GREY, 1, "float32")), GREY),
    "float32 white is zero": (lambda: tiff(scaled(255 - GREY, 1, "float32"), photometric="miniswhite"), GREY),
    "float32 with predictor": (lambda: tiff(scaled(GREY, 1, "float32"), compression="zlib", predictor=True), GREY),
    "float64": (lambda: tiff(scaled(GREY, 1, "float64")), GREY),
    "float64 big-endian to 255": (lambda: tiff(scaled(GREY, 255, "float64"), byteorder=">"), GREY),
    "float rgb": (lambda: tiff(scaled(COLOUR, 1, "float32"), photometric="rgb"), COLOUR),
    "float rgb planar": (
        lambda: tiff(planes(scaled(COLOUR, 65535, "float32")), photometric="rgb", planarconfig="separate"),
        COLOUR,
    ),
    "float64 rgb": (lambda: tiff(scaled(COLOUR, 255, "float64"), photometric="rgb"), COLOUR),
    "float rgba": (
        lambda: tiff(
            np.dstack([COLOUR / 255, OPACITY / 255]).astype("float32"), photometric="rgb", extrasamples=["unassalpha"]
        ),
        over_white(COLOUR, OPACITY),
    ),
    # TIFF of at most 8 bits, in layouts that Pillow knows or does not
    "grey8 white is zero": (lambda: tiff(255 - GREY, photometric="miniswhite"), GREY),
    "grey8 white is zero, lzw": (lambda: tiff(255 - GREY, photometric="miniswhite", compression="lzw"), GREY),
    "grey8 white is zero, tiled": (lambda: tiff(255 - GREY, photometric="miniswhite", tile=(16, 16)), GREY),
    "rgb8 planar": (lambda: tiff(planes(COLOUR), photometric="rgb", planarconfig="separate"), COLOUR),
    "rgb8 planar, lzw, in strips": (
        lambda: tiff(planes(COLOUR), photometric="rgb", planarconfig="separate", compression="lzw", rowsperstrip=5),
        COLOUR,
    ),
    "rgb8 planar, tiled": (
        lambda: tiff(planes(COLOUR), photometric="rgb", planarconfig="separate", tile=(16, 16)),
        COLOUR,
    ),
    "rgb8 tiled": (lambda: tiff(COLOUR, photometric="rgb", tile=(16, 32), compression="zlib"), COLOUR),
    "rgba8 planar": (
        lambda: tiff(
            planes(np.dstack([COLOUR, OPACITY])),
            photometric="rgb",
            planarconfig="separate",
            extrasamples=["unassalpha"],
        ),
        over_white(COLOUR, OPACITY),
    ),
    "rgba8 associated": (
        lambda: tiff(
            np.dstack([(COLOUR * (OPACITY[..., None] / 255)).astype("uint8"), OPACITY]),
            photometric="rgb",
            extrasamples=["assocalpha"],
        ),
        over_white(COLOUR, OPACITY),
    ),
    "rgb8 with four more bands": (
        lambda: tiff(np.dstack([COLOUR] + [OPACITY] * 4), photometric="rgb", extrasamples=["unspecified"] * 4),
        COLOUR,
    ),
    "la8": (
        lambda: tiff(
            np.dstack([GREY, OPACITY]), photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]
        ),
        over_white(np.dstack([GREY] * 3), OPACITY),
    ),
    "la8 planar": (
        lambda: tiff(
            np.stack([GREY, OPACITY]), photometric="minisblack", planarconfig="separate", extrasamples=["unassalpha"]
        ),
        over_white(np.dstack([GREY] * 3), OPACITY),
    ),
    "cmyk8": (lambda: tiff(CMYK, photometric="separated"), COLOUR),
    "cmyk8 planar": (lambda: tiff(planes(CMYK), photometric="separated", planarconfig="separate"), COLOUR),
    "bilevel": (lambda: tiff(bilevel(GREY), photometric="minisblack"), bilevel(GREY) * 255),
    "bilevel white is zero": (lambda: tiff(~bilevel(GREY), photometric="miniswhite"), bilevel(GREY) * 255),
    "bilevel white is zero, packbits": (
        lambda: tiff(~bilevel(GREY), photometric="miniswhite", compression="packbits"),
        bilevel(GREY) * 255,
    ),
    "bilevel fax": (lambda: pillow(GREY, "TIFF", "1", compression="group4"), None),
    # Low ranges
    "12 bits in 16": (lambda: tiff(G12), GREY),
    "12 bits in 16, white is zero": (lambda: tiff(4095 - G12, photometric="miniswhite"), GREY),
    "12 bits in 16, colour": (lambda: tiff(C12, photometric="rgb"), COLOUR),
    "12 bits in 16, colour and alpha": (
        lambda: tiff(np.dstack([C12, scaled(OPACITY, 4095, "uint16")]), photometric="rgb", extrasamples=["unassalpha"]),
        over_white(COLOUR, OPACITY),
    ),
    "12 bits in 16, alpha of 16": (
        lambda: tiff(np.dstack([C12, A16]), photometric="rgb", extrasamples=["unassalpha"]),
        over_white(COLOUR, OPACITY),
    ),
    "10 bits in 16": (lambda: tiff(scaled(GREY, 1023, "uint16")), GREY),
    "14 bits in 16, planar": (
        lambda: tiff(planes(scaled(COLOUR, 16383, "uint16")), photometric="rgb", planarconfig="separate"),
        COLOUR,
    ),
    "8 bits in 16": (lambda: tiff(GREY.astype("uint16")), GREY),
    "12 bits in 32": (lambda: tiff(scaled(GREY, 4095, "uint32")), GREY),
    "12 bits in signed 32": (lambda: tiff(scaled(GREY, 4095, "int32")), GREY),
    "20 bits in 32": (lambda: tiff(scaled(GREY, 2**20 - 1, "uint32")), GREY),
    "12 bits in float": (lambda: tiff(scaled(GREY, 4095, "float32")), GREY),
    "float to 1.5": (lambda: tiff(scaled(GREY, 1.5, "float32")), GREY),
    "12 bits packed": (lambda: tiff(G12 // 2, bitspersample=12), GREY / 2),
    "10 bits packed": (lambda: tiff(scaled(GREY, 1023, "uint16"), bitspersample=10), GREY),
    "12 bits packed, big-endian": (lambda: packed_tiff(G12 // 2, 12, 1), GREY / 2),
    "14 bits packed, white is zero": (lambda: packed_tiff(16383 - scaled(GREY, 16383, "uint16"), 14, 0), GREY),
    "largest value named": (lambda: tiff(G12 // 4, extratags=[(281, "H", 1, 4095, True)]), GREY / 4),
    "12 bits in a 16-bit png": (lambda: png16(G12), GREY),
    "12 bits in a 16-bit png, colour": (lambda: png16(C12), COLOUR),
    "png of 12 significant bits, not scaled": (lambda: png16(G12 // 2, (b"sBIT", b"\x0c")), GREY / 2),
    "png of 12 significant bits, scaled": (lambda: png16((G12 << 4) // 32 * 16, (b"sBIT", b"\x0c")), GREY / 2),
    "png of 10 significant bits, colour": (
        lambda: png16(scaled(COLOUR, 1023, "uint16") // 2, (b"sBIT", b"\x0a\x0a\x0a")),
        COLOUR / 2,
    ),
    "pgm to 4095": (lambda: netpbm(5, G12 // 2, 4095), GREY / 2),
    "pgm to 4095 as text": (lambda: netpbm(2, G12 // 2, 4095), GREY / 2),
    "ppm to 4095": (lambda: netpbm(6, C12 // 2, 4095), COLOUR / 2),
    "ppm to 1000 as text": (lambda: netpbm(3, scaled(COLOUR, 500, "uint16"), 1000), COLOUR / 2),
    "12 bits in a 16-bit pgm": (lambda: netpbm(5, G12, 65535), GREY),
    "12 bits in a 16-bit ppm": (lambda: netpbm(6, C12, 65535), COLOUR),
    "12 bits in a 16-bit ppm as text": (lambda: netpbm(3, C12, 65535), COLOUR),
    "12 bits in a 16-bit jpeg 2000": (lambda: jpeg2000(C12, 16), COLOUR),
    "jpeg 2000 of 12 bits": (lambda: jpeg2000(G12 // 2, 12), GREY / 2),
    # Other formats at their full range
    "png16": (lambda: png16(G16), GREY),
    "png16 colour": (lambda: png16(C16), COLOUR),
    "png16 la": (lambda: png16(np.dstack([G16, A16])), over_white(np.dstack([GREY] * 3), OPACITY)),
    "png16 rgba": (lambda: png16(RGBA16), over_white(COLOUR, OPACITY)),
    "png16 with a transparent shade": (
        lambda: png16(G16, (b"tRNS", struct.pack(">H", G16[0, 9]))),
        np.where(GREY == GREY[0, 9], 255, GREY),
    ),
    "pgm": (lambda: netpbm(5, GREY, 255), GREY),
    "pgm to 100": (lambda: netpbm(5, scaled(GREY, 100, "uint16"), 100), None),
    "ppm to 65535": (lambda: netpbm(6, C16, 65535), COLOUR),
    "ppm as text": (lambda: netpbm(3, COLOUR, 255), COLOUR),
    "pfm": (lambda: pillow(GREY, "PPM", "F"), GREY),
    "jpeg 2000 of 16 bits": (lambda: jpeg2000(G16, 16), GREY),
    "jpeg 2000 of 16 bits, colour": (lambda: jpeg2000(C16, 16), COLOUR),
    "jpeg cmyk": (lambda: pillow(COLOUR, "JPEG", "CMYK", quality=100), None),
    "tiff jpeg": (lambda: tiff(COLOUR, photometric="rgb", compression="jpeg"), None),
}
