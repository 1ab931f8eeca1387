"""Label files by workers on a Ray cluster, which read them where they see them, and are sent them where not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import cast

import pandas as pd

from frostline.compute.actors import open_pool
from frostline.compute.connection import connected
from frostline.compute.pool import Call, Pool
from frostline.compute.workers import Lost
from frostline.config.compute import ComputeConfig
from frostline.errors import ComputeError
from frostline.registry.models import LoadedVersion, read
from frostline.runtime.progress import say
from frostline.serving.labeller import Labeller, SentVersion, state

__all__ = ["Labellers", "open_labellers"]

_ATTEMPTS = 3
_AHEAD = 4  # batches for each worker, which are asked for or wait for one before them


class Labellers:
    """The workers of `pool`, each a serving.labeller.Labeller, on batches of files in their order."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._begun: dict[int, Sequence[Path]] = {}
        self._done: dict[int, pd.DataFrame] = {}
        self._losses: Counter[int] = Counter()

    def label(self, batches: Iterable[Sequence[Path]]) -> Iterator[pd.DataFrame]:
        """See serving.labelling.Label. Raises ComputeError for a batch that three workers were lost with."""
        coming = enumerate(batches)
        for number in count():
            while number not in self._done:
                self._begin(coming)
                if not self._begun:
                    return
                self._hear()
            yield self._done.pop(number)

    def _begin(self, coming: Iterator[tuple[int, Sequence[Path]]]) -> None:
        most = _AHEAD * max(1, len(self._pool.members))
        while len(self._begun) + len(self._done) < most:
            number, batch = next(coming, (None, ()))
            if number is None:
                return
            self._begun[number] = batch
            self._pool.submit(number, _here(batch))

    def _hear(self) -> None:
        key, answer = self._pool.wait()
        number = cast(int, key)
        batch = self._begun[number]
        if isinstance(answer, Lost):
            self._losses[number] += 1
            if self._losses[number] == _ATTEMPTS:
                raise ComputeError(
                    f"{_ATTEMPTS} workers were lost with the files from {batch[0]} to {batch[-1]}, the last because "
                    f"{answer.reason}."
                )
            say(f"A worker was lost while it labelled files from {batch[0]}: {answer.reason}")
            self._pool.submit(number, _here(batch))
        elif answer is None:
            self._pool.proceed(number, _sent(batch))
        else:
            self._pool.release(number)
            self._done[number] = answer
            del self._begun[number]


@contextmanager
def open_labellers(options: ComputeConfig, version: LoadedVersion) -> Iterator[Labellers]:
    """Workers on the cluster of `options` that label by `version`, for the length of the block.

    Raises ComputeError if it cannot be reached, has no room, or a machine of it differs from this one.
    """
    with connected(options), open_pool(options, Labeller, SentVersion.of(version), precision="") as pool:
        yield Labellers(pool)


def _here(batch: Sequence[Path]) -> Call:
    return lambda actor: actor.label_here.remote(batch, [state(path) for path in batch], Path.cwd())


def _sent(batch: Sequence[Path]) -> Call:
    return lambda actor: actor.label_sent.remote(batch, [read(path) for path in batch])
