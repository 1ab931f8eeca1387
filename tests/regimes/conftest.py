"""Crops of the two photographs that scikit-learn ships: real pictures that need no download."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Crops = Callable[[str, int, int], tuple[NDArray[np.uint8], NDArray[np.int64]]]


@pytest.fixture(scope="session")
def crops() -> Crops:
    """`crops(side, count, size)`: from the left or right halves, `count` of each photograph, with which it is."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images

    def cut(half: str, count: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        rng = np.random.default_rng(sum(map(ord, half)))
        images, labels = [], []
        for label, photograph in enumerate(photographs):
            height, width = photograph.shape[0], photograph.shape[1] // 2
            start = 0 if half == "left" else width
            for _ in range(count):
                top, left = rng.integers(height - size), start + rng.integers(width - size)
                images.append(photograph[top : top + size, left : left + size])
                labels.append(label)
        return np.stack(images), np.array(labels, dtype=np.int64)

    return cut
