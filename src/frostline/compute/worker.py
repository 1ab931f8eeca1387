"""What a Ray actor runs: one trainer, for one trial at a time.

Keras is not imported here, but when a worker is made: what it finds in the environment must be set before.
"""

import platform
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from frostline.compute.material import Material
from frostline.data.arrays import Rows
from frostline.errors import ComputeError
from frostline.provenance import Machine
from frostline.runtime.environment import prepare_keras, set_defaults

__all__ = ["Worker"]


class Worker:
    """Trains trials of one study on its part of a machine."""

    def __init__(self, material: Material) -> None:
        set_defaults()
        prepare_keras()
        import keras

        keras.utils.set_random_seed(material.seed)
        self._material = material
        self._trial: Any = None

    def machine(self) -> tuple[str, Mapping[str, Any]]:
        """The host's name, and what must be the same on all: see provenance.Machine."""
        from frostline.runtime.precision import resolve_precision

        return platform.node(), Machine(precision=resolve_precision(self._material.train.precision)).facts

    @cached_property
    def _trainer(self) -> Any:
        from frostline.cache.prefix import PrefixCache
        from frostline.training.memo import Memo
        from frostline.training.setup import Setup
        from frostline.training.trial import Trainer

        given = self._material
        cache = PrefixCache(given.cache_here, given.limit_bytes)
        setup = Setup(given.received_cell(), given.name, given.received_backbone(), given.train, cache, given.seed)
        if setup.backbone.weights.sha256 != given.weights_sha256:
            raise ComputeError(f"The weights below {cache.folder.path} on {platform.node()} are damaged: delete them.")
        return Trainer(setup, Memo(setup, cache.folder, cache.limit_bytes))

    def vectors_of(self, rows: Rows, view: str) -> Mapping[str, NDArray[Any]]:
        """See training.setup.Setup."""
        return dict(self._trainer.setup.vectors_of(rows, view))

    def keep_vectors(self, rows: Rows, view: str, vectors: Mapping[str, NDArray[Any]]) -> None:
        """See training.setup.Setup."""
        self._trainer.setup.keep_vectors(rows, view, vectors)

    def begin(self, job: Any, cuts: Collection[int]) -> tuple[Any, Any]:
        """Begin a job in place of the former, from maps after `cuts`. The reply; with a head come its scores."""
        from frostline.compute.stepping import Stepping

        self._trainer.setup.start_from(cuts)
        self._trial = Stepping(self._trainer, job)
        reply = self._trial.step()
        return reply, None if job.settings.thaw else self._trainer.heads.scores(job.settings)

    def step(self, goes_on: bool) -> tuple[Any, Any]:  # noqa: FBT001  # what is called through Ray
        """Answer the report before. The reply, and nothing."""
        return self._trial.step(goes_on=goes_on), None

    def stop(self) -> None:
        """Train no further. What was trained is kept in the memo."""
        if self._trial is not None:
            self._trial.close()
            self._trial = None
