"""Where a model is better and where worse: metrics by the values of the data set's own columns."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.data.arrays import Labels, Probabilities
from frostline.data.manifest import other_columns
from frostline.evaluation.intervals import exact_accuracy
from frostline.evaluation.metrics import measure

__all__ = ["Slices", "slices"]

_MOST_VALUES = 12
Slices = dict[str, dict[str, dict[str, float]]]


def slices(index: pd.DataFrame, labels: Labels, probabilities: Probabilities) -> Slices:
    """`images`, `accuracy` (with its exact 95% interval, `accuracy_low` and `_high`) and `balanced_accuracy` by slice.

    A slice is a value of a column that the source added to the manifest, such as a cell's type. Columns of one value,
    or of more than twelve, divide nothing useful and are left out. `index` has the rows of the N images.
    """
    found: Slices = {}
    groups = index["group"].to_numpy(dtype=str)
    for name, column in other_columns(index).items():
        values = index[column].astype(str).to_numpy()
        if 1 < len(cells := np.unique(values)) <= _MOST_VALUES:
            found[name] = {str(cell): _slice(values == cell, labels, probabilities, groups) for cell in cells}
    return found


def _slice(
    rows: NDArray[np.bool_], labels: Labels, probabilities: Probabilities, groups: NDArray[np.str_]
) -> dict[str, float]:
    accuracy = exact_accuracy(probabilities[rows].argmax(axis=1) == labels[rows], groups[rows])
    return {
        "images": int(rows.sum()),
        "accuracy": accuracy.value,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "balanced_accuracy": measure("balanced_accuracy", labels[rows], probabilities[rows]),
    }
