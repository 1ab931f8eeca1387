"""One forward pass over some images: what shift and depth profile are both computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.readout import pool
from frostline.backbones.surgery import Backbone
from frostline.cache.prefix import padded
from frostline.runtime.progress import track

__all__ = ["Activations", "MeasuredLayer", "batchnorms", "measure", "measured_layers"]

_BATCH = 32


@dataclass(frozen=True)
class MeasuredLayer:
    """A place in a backbone where channels are compared: its name, the block it is in (from 1), and its tensor."""

    name: str
    block: int
    tensor: Any


@dataclass(frozen=True)
class Activations:
    """Per image: the first two moments of each channel over positions in each measured layer, and pooled blocks.

    `means` and `squares` hold an array [N, C] float32 per layer (the mean of x and of x squared); `pooled` one
    [N, 2C] float32 per block (averages, then maxima).
    """

    means: tuple[NDArray[np.float32], ...]
    squares: tuple[NDArray[np.float32], ...]
    pooled: tuple[NDArray[np.float32], ...]

    def of(self, images: NDArray[np.int64]) -> "Activations":
        """Those of some of the images, by position."""
        return Activations(*(tuple(each[images] for each in part) for part in (self.means, self.squares, self.pooled)))


def batchnorms(backbone: Backbone) -> list[Any]:
    """The BatchNorm layers of `backbone`, in the order of its graph."""
    import keras

    return [layer for layer in backbone.network.layers if isinstance(layer, keras.layers.BatchNormalization)]


def measured_layers(backbone: Backbone) -> list[MeasuredLayer]:
    """Where channels are compared, in the order of the graph.

    What enters each BatchNorm, because its moving statistics describe just that; without any, what convolutions give.
    """
    import keras

    chosen = [(layer, layer.input) for layer in batchnorms(backbone)]
    if not chosen:
        convolutions = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
        chosen = [(layer, layer.output) for layer in backbone.network.layers if isinstance(layer, convolutions)]
    return [MeasuredLayer(backbone.stable_name(layer), backbone.block_of(layer), tensor) for layer, tensor in chosen]


def measure(backbone: Backbone, images: NDArray[np.uint8]) -> Activations:
    """Run `backbone` once over `images` [N, S, S, 3] in 0..255."""
    import keras

    layers = measured_layers(backbone)
    blocks = [pool(backbone.output_of(block)) for block in range(1, backbone.depth + 1)]
    network = keras.Model(
        backbone.network.inputs,
        {
            "means": [_mean(layer.tensor) for layer in layers],
            "squares": [_mean_square(layer.tensor) for layer in layers],
            "pooled": blocks,
        },
    )
    batches = np.array_split(np.arange(len(images)), range(_BATCH, len(images), _BATCH))
    what = f"Profiling with {backbone.spec.name} at {backbone.image_size} pixels: batches"
    parts = []
    for batch in track(batches, what, len(batches)):
        # Padded, so that every batch has one shape and the network is traced once.
        values = network.predict_on_batch(images[padded(batch, min(_BATCH, len(images)))])
        parts.append({name: [np.asarray(each)[: len(batch)] for each in part] for name, part in values.items()})
    return Activations(*(_joined([part[name] for part in parts]) for name in ("means", "squares", "pooled")))


def _joined(parts: Sequence[Sequence[NDArray[np.float32]]]) -> tuple[NDArray[np.float32], ...]:
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


def _mean(tensor: Any) -> Any:
    from keras import layers

    return layers.GlobalAveragePooling2D(dtype="float32")(tensor)


def _mean_square(tensor: Any) -> Any:
    from keras import layers, ops

    return layers.GlobalAveragePooling2D(dtype="float32")(ops.square(ops.cast(tensor, "float32")))
