"""The arrays that modules hand to one another, by what is in them; shapes stand in their docstrings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Images", "Labels", "Probabilities", "Rows", "Told"]

Rows = NDArray[np.int64]
"""Numbers of images in a packed data set, from 0."""

Labels = NDArray[np.int64]
"""Numbers of classes, from 0, one an image."""

Images = NDArray[np.uint8]
"""Pictures [N, S, S, 3] in 0..255."""

Probabilities = NDArray[np.floating[Any]]
"""Of each class [N, K], in [0, 1]; rows add up to 1."""

Told = tuple[Probabilities, NDArray[np.floating[Any]]]
"""What a network tells of N images: Probabilities, and strangeness [N] >= 0, NaN where it does not tell that."""
