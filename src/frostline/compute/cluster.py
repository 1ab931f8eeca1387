"""Workers on a Ray cluster. The driver alone decides, and talks to stores; they train."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np

from frostline.compute.actors import open_pool
from frostline.compute.connection import connected
from frostline.compute.errands import Errands
from frostline.compute.material import Material
from frostline.compute.pool import Call, Pool
from frostline.compute.worker import Worker
from frostline.compute.workers import Job, Lost, Reply
from frostline.config.compute import ComputeConfig
from frostline.data.arrays import Rows
from frostline.data.views import views_of
from frostline.runtime.progress import track
from frostline.training.reports import EpochReport, FoldReport
from frostline.training.trial import Trainer

__all__ = ["Cluster", "open_cluster"]

_ROWS_AT_ONCE = 256


class Cluster:
    """See compute.workers.Workers: each worker is an actor of `pool`."""

    def __init__(self, trainer: Trainer, pool: Pool, host: str) -> None:
        self._trainer = trainer
        self._pool = pool
        self._host = host
        self._jobs: dict[int, Job] = {}
        self._cuts: Collection[int] = ()

    @property
    def slots(self) -> int:
        """Workers that are there now, one at least: they may come and go."""
        return max(1, len(self._pool.members))

    def fill(self, view_sets: Collection[str], cuts: Collection[int]) -> None:
        """Compute pooled vectors, a part of the images on each worker, and give them to this machine and to others.

        Maps after `cuts` are computed on each machine where they are needed.
        """
        setup = self._trainer.setup
        self._cuts = cuts
        setup.start_from(cuts)
        parts = {}
        for view in views_of(*view_sets):
            rows = setup.lacking(view)
            for part in np.array_split(rows, range(_ROWS_AT_ONCE, len(rows), _ROWS_AT_ONCE)):
                if len(part):
                    parts[view, int(part[0])] = part
        errands: Errands[tuple[str, int]] = Errands(self._pool)
        for key, part in parts.items():
            errands.send(key, _vectors_of(part, key[0]), "a part of the pooled vectors")
        for _ in track(range(len(parts)), f"{setup.backbone.spec.name}, pooled vectors: parts", len(parts)):
            key, vectors = errands.answer()
            view, _ = key
            setup.keep_vectors(parts[key], view, vectors)
            others = {member.host: member.actor for member in self._pool.members if member.host != self._host}
            for actor in others.values():
                actor.keep_vectors.remote(parts[key], view, vectors)

    def start(self, number: int, job: Job) -> None:
        """See compute.workers.Workers."""
        self._jobs[number] = job
        self._pool.submit(number, lambda actor: actor.begin.remote(job, self._cuts))

    def answer(self, number: int, *, goes_on: bool) -> None:
        """See compute.workers.Workers."""
        self._pool.proceed(number, lambda actor: actor.step.remote(goes_on))

    def stop(self, number: int) -> None:
        """See compute.workers.Workers."""
        if self._jobs.pop(number, None):
            self._pool.tell(number, lambda actor: actor.stop.remote())
            self._pool.release(number)

    def wait(self) -> tuple[int, Reply]:
        """See compute.workers.Workers."""
        key, value = self._pool.wait()
        number = cast(int, key)
        if isinstance(value, Lost):
            del self._jobs[number]
            return number, value
        reply, scores = value
        if scores is not None:
            self._trainer.heads.keep(self._jobs[number].settings, scores)
        if not isinstance(reply, EpochReport | FoldReport):
            self.stop(number)
        return number, reply


def _vectors_of(rows: Rows, view: str) -> Call:
    return lambda actor: actor.vectors_of.remote(rows, view)


@contextmanager
def open_cluster(options: ComputeConfig, trainer: Trainer) -> Iterator[Cluster]:
    """The cluster of `options`, with its workers, for the length of the block.

    Raises ComputeError if it cannot be reached, has no room, or a machine of it differs from this one.
    """
    with connected(options):
        material = Material.sent(trainer.setup)
        with open_pool(options, Worker, material, trainer.setup.precision) as pool:
            yield Cluster(trainer, pool, material.host)
