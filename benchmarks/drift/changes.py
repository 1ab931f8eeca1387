"""What may happen to pictures, in three degrees each."""

from collections.abc import Callable, Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

SAME, VANISHING, DIGITS = "none", "share of the rarest class that is gone", "share of digits among them"
BLUR, BRIGHTNESS, JPEG = "blur, sigma in pixels", "brightness times", "JPEG quality"
DEGREES: Mapping[str, tuple[float, ...]] = {
    SAME: (0.0,),
    BLUR: (0.4, 0.7, 1.2),
    BRIGHTNESS: (0.95, 0.85, 0.7),
    JPEG: (75.0, 40.0, 15.0),
    VANISHING: (0.5, 0.8, 1.0),
    DIGITS: (0.02, 0.05, 0.1),
}


def altered(images: NDArray[np.uint8], change: str, degree: float) -> NDArray[np.uint8]:
    """`images` [N, S, S, 3] after one of the changes of `ALTERATIONS`."""
    alter = ALTERATIONS[change]
    return np.stack([np.asarray(alter(Image.fromarray(image), degree)) for image in images])


def _blurred(picture: Image.Image, pixels: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(pixels))


def _darkened(picture: Image.Image, by: float) -> Image.Image:
    return picture.point(lambda value: round(value * by))


def _compressed(picture: Image.Image, quality: float) -> Image.Image:
    file = BytesIO()
    picture.save(file, "JPEG", quality=int(quality))
    return Image.open(file).convert("RGB")


ALTERATIONS: Mapping[str, Callable[[Image.Image, float], Image.Image]] = {
    BLUR: _blurred,
    BRIGHTNESS: _darkened,
    JPEG: _compressed,
}
"""Those that are made of the pictures themselves; the others are other mixtures of them."""
