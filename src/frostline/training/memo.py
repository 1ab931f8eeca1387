"""What trainings gave, found again by everything that decides it, in the folder of the prefix cache.

A study over other ranges begins with the guide's strategies as the one before it did, and those that thaw many blocks
are what takes minutes. Trials are repeatable, so that reading what a training gave is the same as training again.
"""

import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.cache.folder import CacheFolder
from frostline.files.atomic import atomic_file
from frostline.provenance import Trainings, fingerprint
from frostline.runtime.devices import accelerators
from frostline.runtime.progress import say
from frostline.text.phrases import counted
from frostline.training.setup import Setup

__all__ = ["Epoch", "Memo"]

_DIGEST_BYTES = 32
Arrays = list[NDArray[Any]]
Epoch = tuple[float, NDArray[np.float32]]
"""A mean loss, and class probabilities [n, K] of validation rows."""

_DECIDING = ("batch_size", "warmup", "class_weights", "train_batchnorm")
"""Of the parameters of training: patience is applied to what is replayed."""


class Memo:
    """Arrays that trainings of one `setup` gave, held with the cached activations to `limit_bytes`."""

    def __init__(self, setup: Setup, folder: CacheFolder, limit_bytes: int) -> None:
        cell, backbone = setup.cell, setup.backbone
        self._identity = Trainings(
            images=cell.packed.fingerprint,
            folds=cell.folds_fingerprint,
            backbone=backbone.spec.architecture,
            image_size=backbone.image_size,
            weights=backbone.weights.sha256,
            precision=setup.precision,
            training=setup.train.model_dump(mode="json", include=set(_DECIDING)),
            devices=accelerators(),
        )
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._place = folder.path / self._identity.fingerprint[:24]

    def epochs(self, what: Mapping[str, object], train: Callable[[], Iterator[Epoch]]) -> Generator[Epoch]:
        """The epochs of the training that `what` describes, as many as are asked for: those known, then more.

        To go on from the known ones, it is trained again from the first: weights are not kept.
        """
        known = self._read("fold", what)
        before = list(zip(known[0].tolist(), known[1], strict=True)) if known else []
        if before:
            say(f"Trained before in the same way, so read: {counted(len(before), 'epoch')}.")
        yield from before
        done: list[Epoch] = []
        try:
            for epoch in train():
                done.append(epoch)
                if len(done) > len(before):
                    yield epoch
        finally:
            if len(done) > len(before):
                losses, probabilities = zip(*done, strict=True)
                self._write("fold", what, [np.array(losses), np.stack(probabilities)])

    def network(self, what: Mapping[str, object], build: Callable[[], Any], train: Callable[[], Any]) -> Any:
        """The network that the training `what` gives: one that `build` makes, with its weights, if they are known."""
        weights = self._read("network", what)
        if weights is not None:
            network = build()
            network.set_weights(weights)
            return network
        network = train()
        self._write("network", what, network.get_weights())
        return network

    def _read(self, kind: str, what: Mapping[str, object]) -> Arrays | None:
        """What was written under the same names; None if that is nothing, or is damaged."""
        path = self._path(kind, what)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if sha256(content).digest() != digest:
            return None
        with np.load(BytesIO(content)) as file:
            return [file[name] for name in file.files]

    def _write(self, kind: str, what: Mapping[str, object], arrays: Sequence[NDArray[Any]]) -> None:
        """Keep `arrays` unless they exceed the limit. Raises WriteError where the system refuses, as on a full disk."""
        more = sum(array.nbytes for array in arrays)
        if more > self._limit_bytes:
            return
        self._folder.prune(self._limit_bytes - more)
        with atomic_file(self._place / "identity.json") as path:
            path.write_text(json.dumps(self._identity.facts, indent=2))
        file = BytesIO()
        np.savez(file, *arrays)
        content = file.getvalue()
        with atomic_file(self._path(kind, what)) as path:
            path.write_bytes(sha256(content).digest() + content)

    def _path(self, kind: str, what: Mapping[str, object]) -> Path:
        return self._place / f"{kind}-{fingerprint(what)[:24]}.values"
