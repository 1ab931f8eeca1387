"""What networks answer to test images, with frozen blocks run once for all networks that share them."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.readout import POOLED, compress
from frostline.backbones.surgery import Backbone, build_backbone
from frostline.backbones.tapped import tapped_block
from frostline.backbones.viewed import images_at_once, views_in
from frostline.cache.prefix import PrefixCache
from frostline.config.schema import Config
from frostline.data.arrays import Rows
from frostline.data.packed import PackedImages
from frostline.data.views import views_of
from frostline.errors import FrostlineError
from frostline.records.familiarity import Familiarity
from frostline.runtime.progress import say, track
from frostline.training.features import ReadOut, Vectors
from frostline.training.settings import TrialSettings

__all__ = ["Answers"]

_COMPARED = 16
_TOLERANCE = 1e-3
_VECTORS_AT_ONCE = 4096


class Answers:
    """Class probabilities that float32 networks on `backbone` give of `rows`, which ascend, of `packed`.

    A head on frozen blocks is asked about their pooled vectors: the prefix cache keeps them for every other such head,
    of this cell and of others. A network whose blocks were trained is asked about the images.
    """

    def __init__(self, config: Config, backbone: str, packed: PackedImages, rows: Rows) -> None:
        self._config = config
        self._name = backbone
        self._packed = packed
        self._rows = rows

    def of(self, network: Any, settings: TrialSettings | None, what: str) -> NDArray[np.float32]:
        """Of `network`, [len(rows), K]; `settings` are its trial's, None where they are not known.

        Some images are shown to the whole network as well. Where its answers are others, it is asked about all of them:
        what is evaluated is what is served.
        """
        shared = self._shared(network, settings, what)
        return self._seen(network, self._rows, what) if shared is None else shared

    def strangeness(self, network: Any, settings: TrialSettings, familiarity: Familiarity) -> NDArray[np.float64]:
        """How far each image lies, [len(rows)], from what is familiar to `network`, trained by `settings`.

        Shared vectors serve where they are what the network itself gives of some of the images. Raises ArtifactError if
        `familiarity` is of another network.
        """
        tapped = familiarity.tap(network)
        vectors = self._shared_vectors(tapped_block(settings.keep), settings)
        shared = vectors is not None and vectors.shape[1:] == tapped.output_shape[1:]
        if vectors is None or not (shared and self._agree(tapped, vectors, rtol=_TOLERANCE)):
            vectors = self._seen(tapped, self._rows)
        return familiarity.familiar.distances(compress(vectors).astype(np.float64))

    def _shared_vectors(self, block: int, settings: TrialSettings) -> NDArray[np.float32] | None:
        """After a block that `settings` leave frozen; None where it is trained, or there is no such backbone now."""
        if block > settings.freeze_depth:
            return None
        try:
            return self._vectors.average(("identity",), block, self._rows) if block <= self._backbone.depth else None
        except FrostlineError:
            return None

    def _shared(self, network: Any, settings: TrialSettings | None, what: str) -> NDArray[np.float32] | None:
        """From shared activations; None where they do not serve, which is said if they should have."""
        if settings is None or settings.thaw or not any(layer.name == POOLED for layer in network.layers):
            return None
        try:
            answers = self._read(network, settings)
        except FrostlineError as error:
            say(f"{what} without shared activations: {error}")
            return None
        if answers is not None and self._agree(network, answers):
            return answers
        say(f"{what} without shared activations: on those of {self._name} as params.yaml has it, it answers otherwise.")
        return None

    def _agree(self, network: Any, answers: NDArray[np.float32], rtol: float = 0) -> bool:
        """Whether `answers` are what the whole network says of some of the images."""
        some = np.unique(np.linspace(0, len(self._rows) - 1, _COMPARED).astype(int))
        return np.allclose(answers[some], self._seen(network, self._rows[some]), rtol=rtol, atol=_TOLERANCE)

    def _seen(self, network: Any, rows: Rows, what: str | None = None) -> NDArray[np.float32]:
        """Of the whole network about the images."""
        length = images_at_once(views_in(network))
        batches = np.array_split(rows, range(length, len(rows), length))
        shown = track(batches, f"{what}, by batches", len(batches)) if what else batches
        return _stacked(network.predict_on_batch(self._packed.images[batch]) for batch in shown)

    def _read(self, network: Any, settings: TrialSettings) -> NDArray[np.float32] | None:
        """Of its head about the vectors; None where those have another shape."""
        import keras

        head = keras.Model(network.get_layer(POOLED).output, network.output)
        if settings.keep > self._backbone.depth:
            return None
        if head.input_shape[-1] != sum(self._backbone.width(block, settings.pooling) for block in settings.blocks):
            return None
        vectors = ReadOut(self._vectors, settings.blocks, settings.pooling, views_of(settings.test_views))
        batches = np.array_split(self._rows, range(_VECTORS_AT_ONCE, len(self._rows), _VECTORS_AT_ONCE))
        return _stacked(head.predict_on_batch(vectors[batch]) for batch in batches)

    @cached_property
    def _backbone(self) -> Backbone:
        """In float32, as networks are served, for the images as they are packed."""
        options = self._config.backbone(self._name).model_copy(update={"image_size": self._packed.image_size})
        return build_backbone(self._name, options, precision="float32", seed=self._config.seed)

    @cached_property
    def _vectors(self) -> Vectors:
        limit_bytes = int(self._config.train.resident_gigabytes * 1e9)
        cache = PrefixCache.of(self._config.stores)
        return Vectors.cached(cache, self._backbone, self._packed, self._rows, limit_bytes)


def _stacked(parts: Any) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(part, dtype=np.float32) for part in parts])
