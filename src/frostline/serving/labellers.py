"""Label files by workers on a Ray cluster, which read them where they see them, and are sent them where not."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pandas as pd

from frostline.compute.actors import open_pool
from frostline.compute.connection import connected
from frostline.compute.errands import Errands
from frostline.compute.pool import Call, Pool
from frostline.config.compute import ComputeConfig
from frostline.registry.models import LoadedVersion, read
from frostline.serving.labeller import Labeller, SentVersion, state

__all__ = ["Labellers", "open_labellers"]

_AHEAD = 4  # batches for each worker, which are asked for or wait for one before them


class Labellers:
    """The workers of `pool`, each a serving.labeller.Labeller, on batches of files in their order."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def label(self, batches: Iterable[Sequence[Path]]) -> Iterator[pd.DataFrame]:
        """See serving.labelling.Label. Raises ComputeError for a batch that three workers were lost with."""
        errands: Errands[int] = Errands(self._pool)
        coming = enumerate(batches)
        begun: dict[int, Sequence[Path]] = {}
        done: dict[int, pd.DataFrame] = {}
        for next_one in count():
            while next_one not in done:
                most = _AHEAD * max(1, len(self._pool.members))
                while len(begun) + len(done) < most and (item := next(coming, None)):
                    number, batch = item
                    begun[number] = batch
                    errands.send(number, _here(batch), _words(batch))
                if not begun:
                    return
                key, answer = errands.answer()
                if answer is None:
                    errands.send(key, _sent(begun[key]), _words(begun[key]))
                else:
                    done[key] = answer
                    del begun[key]
            yield done.pop(next_one)


@contextmanager
def open_labellers(options: ComputeConfig, version: LoadedVersion) -> Iterator[Labellers]:
    """Workers on the cluster of `options` that label by `version`, for the length of the block.

    Raises ComputeError if it cannot be reached, has no room, or a machine of it differs from this one.
    """
    with connected(options), open_pool(options, Labeller, SentVersion.of(version), precision="") as pool:
        yield Labellers(pool)


def _words(batch: Sequence[Path]) -> str:
    return f"the files from {batch[0]} to {batch[-1]}"


def _here(batch: Sequence[Path]) -> Call:
    return lambda actor: actor.label_here.remote(batch, [state(path) for path in batch], Path.cwd())


def _sent(batch: Sequence[Path]) -> Call:
    return lambda actor: actor.label_sent.remote(batch, [read(path) for path in batch])
