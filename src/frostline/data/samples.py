"""Pictures of more than 8 bits, as their files hold them, and the way from there to 8-bit RGB."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from frostline.data.levels import Range, Span
from frostline.errors import ImageError

__all__ = ["Samples"]

_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_BAND_PIXELS = 1 << 18


@dataclass(frozen=True, eq=False)
class Samples:
    """Pixel values [H, W, C] of any real dtype: C is 1 for grey, 3 for RGB, 4 for CMYK.

    `alpha` [H, W] is the opacity, up to white or to the largest value of its dtype; `premultiplied` colours were
    multiplied by it already. `inverted` says that 0 is white. `declared` holds black and white where the file says
    them; `largest` is a value that the file promises not to exceed, without saying that it is white.
    """

    values: NDArray[Any]
    alpha: NDArray[Any] | None = None
    premultiplied: bool = False
    inverted: bool = False
    declared: Range | None = None
    largest: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width, _ = self.values.shape
        return width, height

    def span(self) -> Span:
        """The smallest and the largest finite value. Raises ImageError (unreadable) if no value is finite."""
        floats = self.values.dtype.kind == "f"
        low, high = np.inf, -np.inf
        for rows in self._bands():
            band = self.values[rows]
            band = band[np.isfinite(band)] if floats else band
            if band.size:
                low, high = min(low, float(band.min())), max(high, float(band.max()))
        if low > high:
            raise ImageError("unreadable", "no pixel is a finite number")
        return Span("floats" if floats else "integers", low, max(high, self.largest or high))

    def to_rgb(self, levels: Range) -> Image.Image:
        """8-bit RGB with black and white at `levels`; values beyond are clipped, and those that are no numbers black.

        Transparency is laid over white. Works band by band, so that memory grows by the result alone.
        """
        channels, opaque = self.values.shape[2], self._opaque(levels)
        picture = Image.new("RGB", self.size)
        for rows in self._bands():
            band = _to_8_bits(self.values[rows], levels)
            band = 255 - band if self.inverted else band
            colours = Image.fromarray(band[..., 0] if channels == 1 else band, _MODES[channels]).convert("RGB")
            if self.alpha is not None:
                colours = self._over_white(colours, _to_8_bits(self.alpha[rows], opaque))
            picture.paste(colours, (0, rows.start))
        return picture

    def _over_white(self, colours: Image.Image, alpha: NDArray[np.uint8]) -> Image.Image:
        if self.premultiplied:
            return ImageChops.add(colours, Image.fromarray(255 - alpha).convert("RGB"))
        return Image.composite(colours, Image.new("RGB", colours.size, "white"), Image.fromarray(alpha))

    def _opaque(self, levels: Range) -> Range:
        """What alpha is measured by: the colours' white, unless some of it lies beyond."""
        if self.alpha is None or self.alpha.dtype.kind == "f":
            return Range(0, 1)
        beyond = float(self.alpha.max()) > levels.white
        return Range(0, float(np.iinfo(self.alpha.dtype).max) if beyond else levels.white)

    def _bands(self) -> Iterator[slice]:
        width, height = self.size
        step = max(1, _BAND_PIXELS // width)
        return (slice(start, min(start + step, height)) for start in range(0, height, step))


def _to_8_bits(values: NDArray[Any], levels: Range) -> NDArray[np.uint8]:
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return np.take(_table(levels), values)
    return _rounded(values, levels)


@lru_cache(maxsize=8)
def _table(levels: Range) -> NDArray[np.uint8]:
    """The 8-bit shade of each 16-bit value, uint8 [65536]: looking up is faster than reckoning."""
    return _rounded(np.arange(1 << 16), levels)


def _rounded(values: NDArray[Any], levels: Range) -> NDArray[np.uint8]:
    black, white = levels
    with np.errstate(invalid="ignore"):  # signalling NaN, which damaged floats may be
        numbers = np.nan_to_num(values.astype(np.float64), nan=black, posinf=white, neginf=black)
    scale = 255 / (white - black) if white > black else 0.0
    return np.rint(np.clip((numbers - black) * scale, 0, 255)).astype(np.uint8)
