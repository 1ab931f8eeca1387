"""How fast a served model answers: files in, labels out."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frostline.registry.models import predict

__all__ = ["pictures_per_second", "seconds_per_picture"]

_ROUNDS = 15
_BATCH_ROUNDS = 4
_AT_ONCE = 32


def seconds_per_picture(models: Sequence[Any], path: Path) -> list[float]:
    """The median seconds that the picture in `path`, alone, takes each of `models`.

    They answer in turns, so that a busy machine slows all of them alike.
    """
    times: list[list[float]] = [[] for _ in models]
    for _ in range(_ROUNDS + 1):
        for model, taken in zip(models, times, strict=True):
            taken.append(_seconds(model, [path]))
    return [statistics.median(taken[1:]) for taken in times]


def pictures_per_second(model: Any, paths: Sequence[Path]) -> float:
    """How many pictures a second `model` labels, 32 (or all of `paths`, if fewer) at once: the best of four rounds."""
    batch = paths[:_AT_ONCE]
    return len(batch) / min(_seconds(model, batch) for _ in range(_BATCH_ROUNDS))


def _seconds(model: Any, paths: Sequence[Path]) -> float:
    started = time.perf_counter()
    predict(model, paths)
    return time.perf_counter() - started
