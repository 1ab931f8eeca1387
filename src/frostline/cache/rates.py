"""How fast this machine computes a backbone and reads and writes the prefix cache, by a short timing of each."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.surgery import Backbone
from frostline.cache.cuts import Rates
from frostline.cache.prefix import padded
from frostline.errors import WriteError

__all__ = ["measure_rates"]

_BATCH = 32
_PROBE_BYTES = 32 * 2**20


def measure_rates(backbone: Backbone, images: NDArray[Any], folder: Path) -> Rates:
    """Time one forward pass over `images` [N, S, S, 3], and a file in `folder`. Raises WriteError if it cannot be."""
    written, read = _disk(folder)
    first, next_one = _passes(backbone, images)
    flops = sum(backbone.flops_per_block()) * _BATCH / next_one
    return Rates(flops=flops, read=read, written=written, tracing=max(0.0, first - next_one))


def _passes(backbone: Backbone, images: NDArray[Any]) -> tuple[float, float]:
    """Seconds of the whole backbone over one batch: the first time round, which traces, and the second."""
    network = backbone.slice(0, backbone.depth)
    batch = np.asarray(images[padded(np.arange(min(_BATCH, len(images))), _BATCH)])
    times = [time.perf_counter()]
    for _ in range(2):
        network.predict_on_batch(batch)
        times.append(time.perf_counter())
    return times[1] - times[0], times[2] - times[1]


def _disk(folder: Path) -> tuple[float, float]:
    """Bytes a second written and read, from the disk itself: the system's own cache may not hold a large study."""
    data = os.urandom(_PROBE_BYTES)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            started = time.perf_counter()
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            wrote = time.perf_counter()
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.seek(0)
            ready = time.perf_counter()
            file.read()
            return _PROBE_BYTES / (wrote - started), _PROBE_BYTES / (time.perf_counter() - ready)
    except OSError as error:
        raise WriteError(
            f"The prefix cache's folder {folder} cannot be written: {error.strerror or error}. Make room there, or "
            "name another place as stores.cache in params.yaml."
        ) from error
