"""What the test images of a data set are like: beyond that a model was not tested."""

from dataclasses import dataclass
from pathlib import PurePath

import pandas as pd

from frostline.data.manifest import other_columns

__all__ = ["FEW", "Coverage", "coverage_of"]

FEW = 30
"""A class with fewer test images is hardly tested: its recall is unsure by ten points and more."""

_MOST_VALUES = 12


@dataclass(frozen=True)
class Coverage:
    """Of the test images: the least and the largest width and height in pixels, and the endings of their files.

    `few` counts test images of the classes that have fewer than FEW of them, none included. `untested` has the values
    of the source's own columns that training images have and test images do not.
    """

    width: tuple[int, int]
    height: tuple[int, int]
    endings: tuple[str, ...]
    few: dict[str, int]
    untested: dict[str, tuple[str, ...]]


def coverage_of(manifest: pd.DataFrame) -> Coverage:
    """What `manifest`, which has test images, says of them."""
    tested = manifest["split"] == "test"
    test, others = manifest[tested], manifest[~tested]
    counts = test["label"].value_counts()
    images = {str(label): int(counts.get(label, 0)) for label in sorted(manifest["label"].unique())}
    columns = {
        name: set(others[column]) - set(test[column])
        for name, column in other_columns(manifest).items()
        if manifest[column].nunique() <= _MOST_VALUES
    }
    return Coverage(
        width=(int(test["width"].min()), int(test["width"].max())),
        height=(int(test["height"].min()), int(test["height"].max())),
        endings=tuple(sorted({PurePath(image).suffix.lower() or "none" for image in test["image"]})),
        few={label: count for label, count in images.items() if count < FEW},
        untested={name: tuple(sorted(values)) for name, values in columns.items() if values},
    )
