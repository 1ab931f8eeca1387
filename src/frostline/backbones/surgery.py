"""Cut a backbone at a block, and freeze some of it."""

import random as python_random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.blocks import block_ends
from frostline.backbones.catalogue import BackboneSpec, application, find_backbone, resolve_image_size
from frostline.backbones.cost import flops
from frostline.backbones.layers import batchnorms_in, leaves
from frostline.backbones.loading import load_weights, weights_file
from frostline.backbones.naming import stable_names
from frostline.backbones.presets import preset_network
from frostline.backbones.readout import pool
from frostline.backbones.weights import WeightsRecord
from frostline.config.schema import BackboneConfig
from frostline.errors import BackboneError

__all__ = ["Backbone", "build_backbone"]


class Backbone:
    """A network without its top, as a sequence of blocks numbered from 1; block 0 stands for the images.

    `network` takes RGB [N, S, S, 3] in 0..255, of any dtype, and has the application's own preprocessing inside.
    """

    def __init__(self, spec: BackboneSpec, network: Any, weights: WeightsRecord, precision: str) -> None:
        self.spec = spec
        self.network = network
        self.weights = weights
        self.precision = precision
        self.image_size = int(network.inputs[0].shape[1])
        ends = block_ends(network)
        self._names = stable_names(network)
        self.block_names = tuple(self.stable_name(end) for end in ends)
        self._order = {operation.name: position for position, operation in enumerate(network.operations)}
        self._end_positions = [self._order[end.name] for end in ends]
        # Kept as tensors, because a layer's `output` is ambiguous once it has been called in another network.
        self._ends = [network.inputs[0], *(end.output for end in ends)]

    @property
    def depth(self) -> int:
        """How many blocks there are."""
        return len(self.block_names)

    @property
    def compute_dtype(self) -> str:
        """The dtype of feature maps: `float32`, or `bfloat16` under `mixed_bfloat16`."""
        return str(self._ends[-1].dtype)

    def output_shape(self, block: int) -> tuple[int, ...]:
        """The shape (h, w, C) of one image's feature map after `block`; block 0 is the image itself (S, S, 3)."""
        return tuple(self._ends[block].shape[1:])

    def width(self, block: int, pooling: str) -> int:
        """How many numbers a head reads of `block`: see `select_pooling`."""
        channels = int(self._ends[block].shape[-1])
        return 2 * channels if pooling == "both" else channels

    def output_of(self, block: int) -> Any:
        """The symbolic feature map [N, h, w, C] after `block`; block 0 is the images."""
        return self._ends[block]

    def stable_name(self, layer: Any) -> str:
        """The name of a layer; one that Keras numbered through the process is numbered through the network."""
        return self._names.get(layer.name, str(layer.name))

    def block_of(self, layer: Any) -> int:
        """The block, from 1, that a layer of `network` is in; what follows the last block counts to it."""
        return min(bisect_left(self._end_positions, self._order[layer.name]) + 1, self.depth)

    def slice(self, start: int, stop: int) -> Any:
        """The network from the output of block `start` to that of block `stop`, on the same layers and weights.

        Raises BackboneError unless 0 <= start < stop <= depth.
        """
        import keras

        self._check_slice(start, stop)
        return keras.Model(self._ends[start], self._ends[stop])

    def taps(self, start: int, blocks: Sequence[int]) -> Any:
        """The network from the output of block `start` to those of `blocks`, a list, on the same layers and weights.

        Raises BackboneError unless 0 <= start < each block <= depth.
        """
        import keras

        for block in blocks:
            self._check_slice(start, block)
        return keras.Model(self._ends[start], [self._ends[block] for block in blocks])

    def freeze(self, keep: int, freeze_depth: int, *, train_batchnorm: bool = False) -> None:
        """Make the first `keep` blocks trainable but for the first `freeze_depth` of them, and every other one not.

        A frozen BatchNorm normalises by its moving statistics, does not update them, and keeps its scale and offset.
        Those in thawed blocks stay frozen too unless `train_batchnorm`. Compile after this, not before.
        Raises BackboneError unless 0 <= freeze_depth <= keep <= depth.
        """
        if not 0 <= freeze_depth <= keep <= self.depth:
            raise BackboneError(
                f"Freezing {self.spec.name} must satisfy 0 <= freeze_depth <= keep <= {self.depth}, "
                f"but got keep={keep}, freeze_depth={freeze_depth}."
            )
        for layer in leaves(self.network):
            layer.trainable = False
        if freeze_depth < keep:
            for layer in leaves(self.slice(freeze_depth, keep)):
                layer.trainable = True
                for batchnorm in batchnorms_in(layer):
                    batchnorm.trainable = train_batchnorm

    def flops_per_block(self) -> tuple[int, ...]:
        """Floating-point operations of one image's forward pass through each block."""
        return tuple(flops(self.slice(block, block + 1)) for block in range(self.depth))

    def pooled(self, keep: int, images: NDArray[Any]) -> NDArray[np.float32]:
        """Average and maximum [N, 2C] over each feature map after block `keep`, for images [N, S, S, 3] in 0..255."""
        import keras

        network = self.slice(0, keep)
        return np.asarray(keras.Model(network.inputs, pool(network.output)).predict(images, verbose=0))

    def _check_slice(self, start: int, stop: int) -> None:
        if not 0 <= start < stop <= self.depth:
            raise BackboneError(
                f"A slice of {self.spec.name} must satisfy 0 <= start < stop <= {self.depth}, "
                f"but got start={start}, stop={stop}."
            )


def build_backbone(
    name: str, config: BackboneConfig, *, precision: str = "float32", seed: int | None = None, random: bool = False
) -> Backbone:
    """Build the backbone that `name` and `config` mean, with its weights.

    `precision` is the name of a Keras dtype policy. With `random`, whatever weights `config` names, the network keeps
    its random initial values; they are drawn from `seed`. Raises BackboneError or WeightsError.
    """
    spec = find_backbone(name, config)
    size = resolve_image_size(name, config)
    with _dtype_policy(precision), _initial_seed(seed):
        if spec.preset:
            own = not random and weights_file(config.weights) is None
            network = preset_network(spec.preset, size, precision, load_weights=own)
        else:
            network = _application_network(spec, size)
        weights = load_weights(network, spec, None if random else config.weights)
    return Backbone(spec, network, weights, precision)


def _application_network(spec: BackboneSpec, size: int) -> Any:
    import keras

    constructor, preprocess = application(spec)
    images = keras.Input((size, size, 3), name="images")
    try:
        return constructor(
            weights=None, include_top=False, input_tensor=preprocess(images), input_shape=(size, size, 3)
        )
    except ValueError as error:
        raise BackboneError(f"{spec.application} cannot be built at {size} pixels: {error}") from error


@contextmanager
def _dtype_policy(precision: str) -> Iterator[None]:
    """Keras layers take the global policy when they are made: set it for that long only."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def _initial_seed(seed: int | None) -> Iterator[None]:
    """Keras draws the seeds of unseeded initialisers from Python's generator: seed it for that long only."""
    if seed is None:
        yield
        return
    before = python_random.getstate()
    python_random.seed(seed)
    try:
        yield
    finally:
        python_random.setstate(before)
