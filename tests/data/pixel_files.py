"""Files of every mode and layout, made from arrays, and what becomes of a file."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from frostline.data.images import decode, quiet_decoders
from frostline.errors import ImageError

OUTCOMES = {"RGB", "unreadable", "truncated", "too_small", "too_many_pixels", "too_large"}


def scaled(picture: np.ndarray, white: float, dtype: str) -> np.ndarray:
    """Values from 0 to `white`, as `picture` has them from 0 to 255."""
    values = picture / 255 * white
    return (np.rint(values) if np.dtype(dtype).kind in "iu" else values).astype(dtype)


def planes(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(picture, -1, 0))


def tiff(picture: np.ndarray, photometric: str = "minisblack", planar: bool = False, **options: object) -> bytes:
    """`photometric` or, of one word and more, the extra samples: "rgb unassalpha"."""
    photometric, *extra = photometric.split()
    file = io.BytesIO()
    if picture.ndim == 3:
        picture = planes(picture) if planar else picture
        options |= {"planarconfig": "separate" if planar else "contig", "extrasamples": extra or None}
    tifffile.imwrite(file, picture, photometric=photometric, **options)
    return file.getvalue()


def packed_tiff(values: np.ndarray, bits: int, photometric: int) -> bytes:
    """A big-endian TIFF whose samples follow each other without gaps."""
    rows = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(*values.shape, 2), axis=2)[..., 16 - bits :]
    data = np.packbits(rows.reshape(len(values), -1), axis=1).tobytes()
    height, width = values.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height, 279: len(data)}
    return raw_tiff(tags, data)


def raw_tiff(tags: dict[int, int], data: bytes) -> bytes:
    """A big-endian TIFF with these tags, whose pixels begin at byte 8."""
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return struct.pack(">2sHI", b"MM", 42, 8 + len(data)) + data + struct.pack(">H", len(tags)) + entries + bytes(4)


def pillow(picture: np.ndarray, form: str, mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(file, form, **options)
    return file.getvalue()


def png(size: tuple[int, int], bits: int, kind: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of `size`, with PNG's colour type `kind`, filtered `rows` and the chunks `extra` before them."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    parts = [(b"IHDR", struct.pack(">IIBBBBB", *size, bits, kind, 0, 0, 0)), *extra]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def png16(picture: np.ndarray, *extra: tuple[bytes, bytes]) -> bytes:
    kind = 0 if picture.ndim == 2 else {2: 4, 3: 2, 4: 6}[picture.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in picture)
    return png(picture.shape[1::-1], 16, kind, rows, *extra)


def netpbm(form: int, picture: np.ndarray, white: int) -> bytes:
    head = f"P{form}\n# a comment\n{picture.shape[1]} {picture.shape[0]}\n{white}\n".encode()
    if form in (2, 3):
        return head + b"# another\n" + " ".join(map(str, picture.ravel())).encode()
    return head + picture.astype(">u2" if white > 255 else "u1").tobytes()


def jpeg12(picture: np.ndarray) -> bytes:
    return imagecodecs.jpeg_encode(picture, bitspersample=12, level=97)


def jpeg2000(picture: np.ndarray, bits: int) -> bytes:
    return imagecodecs.jpeg2k_encode(picture, bitspersample=bits, reversible=True, level=0, codecformat="jp2")


def outcome(content: bytes, **limits: int) -> str:
    """The mode that a file is decoded to, or why it cannot be; one of OUTCOMES, unless something is wrong with us."""
    with quiet_decoders():
        try:
            return decode(content, **limits).mode
        except ImageError as error:
            return error.reason
