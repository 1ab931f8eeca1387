"""The one way a file becomes an array: `preprocess` and the served model both call it, so they cannot differ."""

import errno
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from frostline.errors import ImageError

__all__ = ["DECODER_VERSION", "Resize", "decode", "load_square", "quiet_pillow", "read_bytes", "to_square"]

# Part of every packed fingerprint: raise it whenever the same file would give different pixels.
DECODER_VERSION = 1

Resize = Literal["stretch", "crop", "pad"]

# Raster formats that Pillow decodes itself; JPEG includes MPO. Of the others, some run programs (EPS), and some take
# nearly any bytes for an image (TGA).
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_bytes(file: Path) -> bytes:
    """The content of `file`. Raises ImageError: missing, link_loop, no_permission, empty or unreadable."""
    try:
        mode = file.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _folder_error(file)
        if not stat.S_ISREG(mode):  # reading a pipe or a device could wait for ever
            raise ImageError("unreadable", "not a regular file")
        data = file.read_bytes()
    except FileNotFoundError:
        raise ImageError("missing", "a broken link" if file.is_symlink() else "no such file") from None
    except PermissionError:
        raise ImageError("no_permission", "the system refuses to read it") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ImageError("link_loop", "a symbolic link that leads back to itself") from None
        raise ImageError("unreadable", error.strerror or type(error).__name__) from None
    if not data:
        raise ImageError("empty", "a file of zero bytes")
    return data


def _folder_error(folder: Path) -> ImageError:
    if not os.access(folder, os.R_OK | os.X_OK):
        return ImageError("no_permission", "a folder that the system refuses to list")
    if folder.is_symlink() and folder.resolve() in folder.parent.resolve().joinpath(folder.name).parents:
        return ImageError("link_loop", "a symbolic link to a folder above it")
    return ImageError("unreadable", "a folder, not a file")


def decode(file: Path | bytes, *, min_side: int, max_pixels: int) -> Image.Image:
    """The whole picture in `file` (a path, or an encoded image's bytes), upright and 8-bit RGB.

    The sides are checked in the header, before anything is decoded. EXIF orientation is applied; of an animation the
    first frame counts; transparency is laid over white; CMYK and other colour modes are converted. 16-bit grey is
    divided by 257. 32-bit integers and floats have no nominal range: the smallest of 0-1, 0-255 and 0-65535 that holds
    their values is taken for it, and else their own minimum and maximum.

    Pillow's own limit, 179 million pixels unless a program changes it, holds as well as `max_pixels`.

    Raises:
        ImageError: with reason missing, link_loop, no_permission, empty, unreadable, truncated, too_small or
            too_many_pixels.
    """
    data = file if isinstance(file, bytes) else read_bytes(file)
    if not data:
        raise ImageError("empty", "zero bytes")
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            _check_sides(*image.size, min_side, max_pixels)
            image.load()
            return _to_rgb(_upright(image))
    except (ImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageError("too_many_pixels", _one_line(error)) from None
    except UnidentifiedImageError:
        raise ImageError("unreadable", f"not an image in a known format ({', '.join(_FORMATS)})") from None
    except Exception as error:  # decoders meet broken files with nearly any exception
        reason = "truncated" if "truncated" in str(error).lower() or isinstance(error, EOFError) else "unreadable"
        raise ImageError(reason, _one_line(error)) from None


def to_square(image: Image.Image, size: int, resize: Resize) -> NDArray[np.uint8]:
    """`image` (RGB) as uint8 [size, size, 3], by antialiased bilinear interpolation.

    `stretch` ignores the aspect ratio, `crop` keeps the middle square, `pad` keeps all of it between black bars.
    """
    width, height = image.size
    if resize == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        square = image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
    elif resize == "pad":
        scale = size / max(width, height)
        inner = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BILINEAR)
        square = Image.new("RGB", (size, size))
        square.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    else:
        square = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square, dtype=np.uint8)


def load_square(file: Path | bytes, size: int, resize: Resize, *, min_side: int, max_pixels: int) -> NDArray[np.uint8]:
    """`decode`, then `to_square`: uint8 [size, size, 3]. Raises ImageError as `decode` does."""
    return to_square(decode(file, min_side=min_side, max_pixels=max_pixels), size, resize)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings about odd files, which `decode` judges itself, inside the block.

    Python's warning filters belong to the whole process: enter this once around a pool of threads, not in each thread.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        yield


def _check_sides(width: int, height: int, min_side: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError("too_many_pixels", f"{width} x {height} pixels; at most {max_pixels} are decoded")
    if min(width, height) < min_side:
        raise ImageError("too_small", f"{width} x {height} pixels; the shorter side must have at least {min_side}")


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # damaged metadata does not spoil the pixels
        return image
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _grey(np.asarray(image).astype(np.float64) / 257)
    if image.mode in ("I", "F"):
        return _grey(_to_8_bits(np.asarray(image, dtype=np.float64)))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        if converted is None:
            raise ImageError("unreadable", "its LAB colours cannot be converted")
        return converted
    return image.convert("RGB")


def _to_8_bits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ImageError("unreadable", "no pixel is a finite number")
    low, high = float(finite.min()), float(finite.max())
    ranges = ((0.0, 1.0), (0.0, 255.0), (0.0, 65535.0), (low, high))
    start, end = next((start, end) for start, end in ranges if start <= low and high <= end)
    values = np.nan_to_num(values, nan=start, posinf=end, neginf=start)
    return (values - start) * (255 / (end - start))


def _grey(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.rint(values).astype(np.uint8)).convert("RGB")


def _one_line(error: Any) -> str:
    return " ".join(str(error).split()) or type(error).__name__
