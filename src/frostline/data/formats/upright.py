"""EXIF's orientation: which way up a picture is meant to be seen."""

from PIL import Image

__all__ = ["orientation", "upright"]

_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(image: Image.Image) -> int:
    """The number that EXIF gives `image`; 1, upright as stored, where it gives none."""
    try:
        return int(image.getexif().get(_TAG, 1))
    except Exception:  # damaged metadata does not spoil the pixels
        return 1


def upright(image: Image.Image, number: int) -> Image.Image:
    """`image` as it is meant to be seen, by its orientation `number`."""
    return image.transpose(_TURNS[number]) if number in _TURNS else image
