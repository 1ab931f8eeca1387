"""The one way a file becomes an array: `preprocess` and the served model both call it, so they cannot differ.

Whoever lets the same file give different pixels raises `frostline.provenance.DECODER_VERSION`.

`decode_cost` says beforehand what that takes; the bounds are in `frostline.data.budget`.
"""

import errno
import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from frostline.config.types import Resize
from frostline.data.budget import check_cost
from frostline.data.formats.jpeg import check_scans
from frostline.data.formats.upright import upright
from frostline.data.levels import OWN_LEVELS, Levels, Range, Span
from frostline.data.readers import FORMATS, decode_cost, open_reader, whole_cost
from frostline.data.samples import Samples
from frostline.data.whole import check_whole
from frostline.errors import ImageError
from frostline.runtime.logs import quieted

__all__ = [
    "Picture",
    "decode",
    "decode_cost",
    "load_square",
    "open_picture",
    "quiet_decoders",
    "read_bytes",
    "to_square",
]

_BAND_PIXELS = 1 << 18
# Words of decoders for a file that ends too early.
_CUT = ("truncated", "too small", "unexpected end", "end of file", "failed to read", "corrupted strip")


def read_bytes(file: Path) -> bytes:
    """The content of `file`. Raises ImageError: missing, link_loop, no_permission, empty, too_large or unreadable."""
    try:
        status = file.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _folder_error(file)
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device could wait for ever
            raise ImageError("unreadable", "not a regular file")
        check_cost(status.st_size)
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


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as its file holds it: 8-bit pixels, or the values of a wider one; `orientation` is EXIF's."""

    content: Image.Image | Samples
    orientation: int

    def span(self) -> Span | None:
        """The range of its values, if they are of more than 8 bits and the file does not say which of them is white."""
        content = self.content
        return None if isinstance(content, Image.Image) or content.declared else content.span()

    def to_rgb(self, levels: Levels) -> Image.Image:
        """The whole picture, upright and 8-bit RGB; `levels` say what black and white are where the file does not.

        Raises ImageError (unreadable), as `stretched` does.
        """
        return self._upright(lambda values: values.declared or levels.range_for(values.span()))

    def stretched(self) -> Image.Image:
        """The same, but from its own smallest to its own largest value where it has more than 8 bits: for comparing."""
        return self._upright(lambda values: Range(*values.span()[1:]))

    def _upright(self, choose: Callable[[Samples], Range]) -> Image.Image:
        content = self.content
        with _told():
            rgb = _to_rgb(content) if isinstance(content, Image.Image) else content.to_rgb(choose(content))
            return upright(rgb, self.orientation)


def open_picture(data: bytes, *, min_side: int, max_pixels: int) -> Picture:
    """The picture in an encoded image's bytes, decoded. Sides and cost are checked in the header, before that.

    Raises:
        ImageError: with reason empty, unreadable, truncated, too_small, too_many_pixels or too_large.
    """
    if not data:
        raise ImageError("empty", "zero bytes")
    with _told():
        check_whole(data)
        check_scans(data)
        reader = open_reader(BytesIO(data))
        _check_sides(*reader.size, min_side, max_pixels)
        check_cost(whole_cost(reader, len(data)))
        content = reader.read()
        if content.size != reader.size:
            raise ImageError("unreadable", f"{content.size} pixels where its header says {reader.size}")
        return Picture(content, reader.orientation)


@contextmanager
def _told() -> Iterator[None]:
    """Whatever a decoder raises inside the block, as an ImageError that says what is wrong with the picture."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageError("too_many_pixels", _one_line(error)) from None
    except UnidentifiedImageError:
        raise ImageError("unreadable", f"not an image in a known format ({', '.join(FORMATS)})") from None
    except Exception as error:  # decoders meet broken files with nearly any exception
        text = _one_line(error)
        cut = isinstance(error, EOFError) or any(word in text.lower() for word in _CUT)
        raise ImageError("truncated" if cut else "unreadable", text) from None


def decode(file: Path | bytes, *, min_side: int, max_pixels: int, levels: Levels = OWN_LEVELS) -> Image.Image:
    """The whole picture in `file` (a path, or an encoded image's bytes), upright and 8-bit RGB.

    EXIF orientation is applied; of an animation the first frame counts; transparency is laid over white; CMYK and other
    colour modes are converted. What has more than 8 bits is brought to 8 by the black and white that its file declares,
    else by `levels`, those of its data set, and without any by its own (`frostline.data.levels` has the rule).

    Pillow's own limit, 179 million pixels unless a program changes it, holds as well as `max_pixels`.

    Raises:
        ImageError: with reason missing, link_loop, no_permission, empty, unreadable, truncated, too_small,
            too_many_pixels or too_large.
    """
    data = file if isinstance(file, bytes) else read_bytes(file)
    return open_picture(data, min_side=min_side, max_pixels=max_pixels).to_rgb(levels)


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


def load_square(
    file: Path | bytes, size: int, resize: Resize, *, min_side: int, max_pixels: int, levels: Levels = OWN_LEVELS
) -> NDArray[np.uint8]:
    """`decode`, then `to_square`: uint8 [size, size, 3]. Raises ImageError as `decode` does."""
    return to_square(decode(file, min_side=min_side, max_pixels=max_pixels, levels=levels), size, resize)


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silence what Pillow and tifffile warn of and log about odd files, which `decode` judges itself, inside the block.

    Warning filters and loggers belong to the whole process: enter this once around a pool of threads, not in each
    thread.
    """
    with quieted("PIL", "tifffile"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        yield


def _check_sides(width: int, height: int, min_side: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError("too_many_pixels", f"{width} x {height} pixels; at most {max_pixels} are decoded")
    if min(width, height) < min_side:
        raise ImageError("too_small", f"{width} x {height} pixels; the shorter side must have at least {min_side}")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        return _over_white(image)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        if converted is None:
            raise ImageError("unreadable", "its LAB colours cannot be converted")
        return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """Band by band, since RGBA takes 4 bytes a pixel, three times."""
    picture = Image.new("RGB", image.size)
    step = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, step):
        band = image.crop((0, top, image.width, min(top + step, image.height)))
        band = (band.convert("LA") if band.mode == "La" else band).convert("RGBA")  # Pillow knows no direct way
        white = Image.new("RGBA", band.size, "white")
        picture.paste(Image.alpha_composite(white, band).convert("RGB"), (0, top))
    return picture


def _one_line(error: Any) -> str:
    return " ".join(str(error).split()) or type(error).__name__
