"""What a network answered to many pictures, whatever they are."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["ANSWERS", "Answered"]

ANSWERS = "predictions.csv"
"""The table of answers to test images, which `evaluate` writes and a version carries."""


@dataclass(frozen=True, eq=False)
class Answered:
    """Probabilities [N, K] of `classes`, and strangeness [N] >= 0, or None of a network that does not tell it."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float64]
    strangeness: NDArray[np.float64] | None

    @classmethod
    def of(cls, table: pd.DataFrame, classes: tuple[str, ...]) -> Self:
        """Of the columns `probability_<class>`, and `strangeness` if there is one, where they are not empty.

        Of the images that share a `group`, if there is such a column, the first counts alone: near duplicates tell no
        more than one of them.
        """
        columns = _of_probabilities(classes)
        found = table.dropna(subset=[*columns, *table.columns.intersection(["strangeness"])])
        if "group" in found:
            found = found.drop_duplicates("group")
        strangeness = found["strangeness"].to_numpy(dtype=np.float64) if "strangeness" in found else None
        return cls(classes, found[columns].to_numpy(dtype=np.float64), strangeness)

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def columns(self) -> list[str]:
        """Those of a table that it could be made of."""
        return _of_probabilities(self.classes) + ([] if self.strangeness is None else ["strangeness"])

    @property
    def named(self) -> NDArray[np.int64]:
        """The numbers [N] of the likeliest classes."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def only(self, rows: NDArray[np.int64]) -> "Answered":
        """The answers at `rows`."""
        strangeness = None if self.strangeness is None else self.strangeness[rows]
        return Answered(self.classes, self.probabilities[rows], strangeness)


def _of_probabilities(classes: tuple[str, ...]) -> list[str]:
    return [f"probability_{name}" for name in classes]
