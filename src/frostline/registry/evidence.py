"""What versions answer to the same test images, where all of them can answer."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.data.test_set import TestSet
from frostline.errors import DataError, RegistryError
from frostline.registry.gate import Evidence
from frostline.registry.latency import seconds_per_picture
from frostline.registry.models import LoadedVersion, batches, predict
from frostline.runtime.progress import track

__all__ = ["gather"]

_PREFIX = "probability_"


def gather(versions: Sequence[LoadedVersion], images: TestSet) -> tuple[TestSet, list[Evidence]]:
    """The images that each of `versions` can answer to, and what each answers, over the classes that any of them knows.

    Raises DataError if a file is gone, RegistryError if none can be answered to by all.
    """
    gone = [path for path in images.paths if not path.is_file()]
    if gone:
        raise DataError(f"The test image {gone[0]} cannot be used now: missing: no such file. Run `dvc repro`.")
    answers = [_answers(version, images) for version in versions]
    usable = [_usable(answer) for answer in answers]
    by_all = np.logical_and.reduce(usable)
    if not by_all.any():
        raise RegistryError(
            f"None of {len(images.paths)} test images can be answered to by version "
            f"{' and by version '.join(version.number for version in versions)}: {_first_reason(answers)}. "
            "Run `dvc repro`, which registers the model anew if its limits have changed."
        )
    shared = images.only(by_all)
    seconds = seconds_per_picture([version.model for version in versions], shared.paths[0])
    tables = [answer[by_all].filter(like=_PREFIX).rename(columns=_class) for answer in answers]
    others = sorted({name for table in tables for name in table.columns} - set(images.classes))
    columns = [*images.classes, *others]
    return shared, [
        Evidence(table.reindex(columns=columns, fill_value=0.0).to_numpy(dtype=np.float64), each, int((~mine).sum()))
        for table, each, mine in zip(tables, seconds, usable, strict=True)
    ]


def _answers(version: LoadedVersion, images: TestSet) -> pd.DataFrame:
    parts = list(batches(images.paths))
    tracked = track(parts, f"Version {version.number} answers, by batches", len(parts))
    return pd.concat([predict(version.model, part) for part in tracked])


def _usable(answer: pd.DataFrame) -> NDArray[np.bool_]:
    """Where there is no error, and every probability is a number."""
    numbers = answer.filter(like=_PREFIX).to_numpy(dtype=np.float64)
    return np.asarray((answer["error"] == "") & np.isfinite(numbers).all(axis=1), dtype=np.bool_)


def _first_reason(answers: Sequence[pd.DataFrame]) -> str:
    errors = [error for answer in answers for error in answer["error"] if error]
    return errors[0] if errors else "the network gives no numbers"


def _class(column: str) -> str:
    return column.removeprefix(_PREFIX)
