"""Views: deterministic augmentations. There are finitely many, so their prefix activations can be cached."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["VIEWS", "VIEW_SETS"]

Images = NDArray[Any]

VIEWS: Mapping[str, Callable[[Images], Images]] = {
    "identity": lambda images: images,
    "mirror": lambda images: images[:, :, ::-1],
    "flip": lambda images: images[:, ::-1],
    "half_turn": lambda images: images[:, ::-1, ::-1],
    "transpose": lambda images: images.swapaxes(1, 2),
    "quarter_turn": lambda images: np.rot90(images, 1, axes=(1, 2)),
    "three_quarter_turn": lambda images: np.rot90(images, 3, axes=(1, 2)),
    "anti_transpose": lambda images: images.swapaxes(1, 2)[:, ::-1, ::-1],
}
"""Each maps square images [N, S, S, C] to images of the same shape; together they are the symmetries of a square."""

VIEW_SETS: Mapping[str, tuple[str, ...]] = {
    "identity": ("identity",),
    "mirror": ("identity", "mirror"),
    "flips": ("identity", "mirror", "flip", "half_turn"),
    "dihedral": tuple(VIEWS),
}
"""What a trial may train on; `identity` comes first in each, because validation and serving see nothing else."""
