"""Views: deterministic augmentations, each one function that is the same for every image.

There are finitely many, so their prefix activations can be cached. They are written in Keras operations, so that the
very same function makes training images out of an array and stands inside a served network.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from frostline.config.types import MOST_CROPS

__all__ = ["SYMMETRIES", "VIEW_SETS", "Crop", "under", "views_of"]

SYMMETRIES: Mapping[str, tuple[bool, tuple[int, ...]]] = {
    "identity": (False, ()),
    "mirror": (False, (2,)),
    "flip": (False, (1,)),
    "half_turn": (False, (1, 2)),
    "transpose": (True, ()),
    "quarter_turn": (True, (1,)),
    "three_quarter_turn": (True, (2,)),
    "anti_transpose": (True, (1, 2)),
}
"""Those of a square: whether rows and columns change places, and along which axes of [N, S, S, 3] it is then reversed.
Turns are counter-clockwise."""

_CROPS = tuple(f"crop-{number}" for number in range(1, MOST_CROPS + 1))
_DRAW = 15  # another number would give other crops
_AREA = (0.35, 1.0)
_ASPECT = (3 / 4, 4 / 3)
_FACTOR = (0.75, 1.25)
_MID_GREY = 128

VIEW_SETS: Mapping[str, tuple[str, ...]] = {
    "identity": ("identity",),
    "mirror": ("identity", "mirror"),
    "flips": ("identity", "mirror", "flip", "half_turn"),
    "dihedral": tuple(SYMMETRIES),
    "crops": ("identity", "mirror", *_CROPS[:6]),
    **{f"crops-{count}": ("identity", "mirror", *_CROPS[:count]) for count in range(1, MOST_CROPS + 1)},
}
"""What a trial may train on, and a prediction be averaged over; `identity` comes first in each."""


class Crop(NamedTuple):
    """A box of the picture, stretched over the whole, mirrored or not, in other colours.

    `height` and `width` are fractions of the picture's side; `down` and `right` say where the box lies, from 0 (at the
    top, at the left) to 1. Pixels are multiplied by `brightness`, what they differ from mid-grey by `contrast`, and
    what their channels differ from their own grey by `saturation`.
    """

    height: float
    width: float
    down: float
    right: float
    mirrored: bool
    brightness: float
    contrast: float
    saturation: float

    @classmethod
    def drawn(cls, number: int) -> Self:
        """The crop of that number: the same in every process, for every image and at every size.

        Boxes are those of Inception's training (arXiv 1409.4842), but for their least area.
        """
        rng = np.random.default_rng((_DRAW, number))
        area = rng.uniform(*_AREA)
        aspect = math.exp(rng.uniform(math.log(max(_ASPECT[0], area)), math.log(min(_ASPECT[1], 1 / area))))
        down, right = rng.uniform(size=2).tolist()
        mirrored = bool(rng.integers(2))
        return cls(
            math.sqrt(area / aspect),
            math.sqrt(area * aspect),
            down,
            right,
            mirrored,
            *rng.uniform(*_FACTOR, 3).tolist(),
        )


def views_of(*names: str) -> tuple[str, ...]:
    """The views in one or several of VIEW_SETS, each once.

    >>> views_of("mirror", "crops-1")
    ('identity', 'mirror', 'crop-1')
    """
    return tuple(dict.fromkeys(view for name in names for view in VIEW_SETS[name]))


def under(view: str, images: Any) -> Any:
    """`images` under a view: [N, S, S, 3] in 0..255, of the same shape and dtype.

    They are an array, of which a tensor is made, or a symbolic tensor of a Keras network. Whole numbers, as float32 or
    uint8, give the same whole numbers in both, on every backend.
    """
    if view not in SYMMETRIES:
        return _crop(images, Crop.drawn(int(view.removeprefix("crop-"))))
    from keras import ops

    transposed, reversed_axes = SYMMETRIES[view]
    images = ops.transpose(images, (0, 2, 1, 3)) if transposed else images
    return ops.flip(images, reversed_axes) if reversed_axes else images


def _crop(images: Any, crop: Crop) -> Any:
    from keras import backend, ops

    # All factors are multiples of 1/256 (of 1/64 for grey), so that no sum or product of whole pixels is rounded in
    # float32, and backends cannot differ, in whatever order they add. Keras's own resizing differs, and tf2onnx makes
    # its result a pixel too small at some sizes.
    x = _stretched(ops.cast(images, "float32"), 1, crop.height, crop.down)
    x = ops.round(_stretched(x, 2, crop.width, crop.right, backwards=crop.mirrored))
    gain = crop.brightness * crop.contrast
    red, green, blue = (x[..., channel : channel + 1] for channel in range(3))
    grey = (19 * red + 38 * green + 7 * blue) / 64  # ITU-R BT.601: 0.299, 0.587, 0.114
    x = x * _fine(gain * crop.saturation) + grey * _fine(gain * (1 - crop.saturation))
    x = ops.clip(x + _fine(_MID_GREY * (1 - crop.contrast)), 0, 255)
    return ops.cast(ops.round(x), backend.standardize_dtype(images.dtype))


def _stretched(x: Any, axis: int, length: float, place: float, *, backwards: bool = False) -> Any:
    """Of `x` a part along `axis`, stretched over the whole by linear interpolation between the middles of pixels."""
    from keras import ops

    side = x.shape[axis]
    pixels = max(1, round(length * side))
    start = round(place * (side - pixels))
    middles = np.clip((np.arange(side) + 0.5) * pixels / side - 0.5, 0, pixels - 1)[:: -1 if backwards else 1]
    low = middles.astype(int)
    weights = np.round((middles - low) * 256).astype("float32").reshape(-1, *[1] * (3 - axis)) / 256
    first = ops.take(x, start + low, axis)
    second = ops.take(x, start + np.minimum(low + 1, pixels - 1), axis)
    return first + ops.multiply(second - first, weights)


def _fine(factor: float) -> float:
    return round(factor * 256) / 256
