"""Single test images: what was said of each, and those worth looking at."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.data.arrays import Labels, Probabilities

__all__ = ["most_confident", "predictions"]


def predictions(
    index: pd.DataFrame, labels: Labels, probabilities: Probabilities, classes: Sequence[str]
) -> pd.DataFrame:
    """A row per test image of `index` [N]: image, group (near duplicates share one), actual, predicted and
    probability_<class>.
    """
    names = np.array(classes)
    frame = pd.DataFrame(
        {
            "image": index["image"].to_numpy(),
            "group": index["group"].to_numpy(),
            "actual": names[labels],
            "predicted": names[probabilities.argmax(axis=1)],
        }
    )
    columns = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in classes])
    return pd.concat([frame, columns], axis=1)


def most_confident(labels: Labels, probabilities: Probabilities, *, right: bool) -> NDArray[np.int64]:
    """The rows that are right, or wrong, the most certain first."""
    rows = np.flatnonzero((probabilities.argmax(axis=1) == labels) == right)
    return rows[np.argsort(-probabilities[rows].max(axis=1), kind="stable")]
