"""Single test images: what was said of each, and those worth looking at."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.evaluation.metrics import Floats, Labels
from frostline.plots.lettering import lettered

__all__ = ["captions", "most_confident", "predictions"]


def predictions(index: pd.DataFrame, labels: Labels, probabilities: Floats, classes: Sequence[str]) -> pd.DataFrame:
    """A row per test image of `index` [N]: image, actual, predicted and probability_<class>."""
    names = np.array(classes)
    frame = pd.DataFrame(
        {
            "image": index["image"].to_numpy(),
            "actual": names[labels],
            "predicted": names[probabilities.argmax(axis=1)],
        }
    )
    columns = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in classes])
    return pd.concat([frame, columns], axis=1)


def most_confident(labels: Labels, probabilities: Floats, *, right: bool) -> NDArray[np.int64]:
    """The rows that are right, or wrong, the most certain first."""
    rows = np.flatnonzero((probabilities.argmax(axis=1) == labels) == right)
    return rows[np.argsort(-probabilities[rows].max(axis=1), kind="stable")]


def captions(labels: Labels, probabilities: Floats, classes: Sequence[str], rows: NDArray[np.int64]) -> list[str]:
    """For each of `rows`, as figures show it: what was said, how surely, and what it is where that differs."""
    names = lettered(classes)
    lines = []
    for row in rows.tolist():
        said, actual = int(probabilities[row].argmax()), int(labels[row])
        line = f"{names[said]} {probabilities[row, said]:.0%}"
        lines.append(line if said == actual else f"{line}\nis {names[actual]}")
    return lines
