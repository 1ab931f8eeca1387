"""The trained part of a network: thawed blocks and head, compiled once for every trial of its shape."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from frostline.backbones.surgery import Backbone, add_head, select_pooling
from frostline.backbones.weights import copy_weights
from frostline.runtime.devices import compile_with_xla
from frostline.training.optimizer import GroupedAdamW
from frostline.training.settings import TrialSettings

__all__ = ["Shape", "Suffix", "Suffixes", "with_head"]

_KEPT = 4


@dataclass(frozen=True)
class Shape:
    """What decides the graph: blocks `source` + 1 to `keep` run, those after `freeze_depth` are trained.

    Blocks between the source and the thawed ones are frozen ones whose activations are not worth caching: they give in
    training what the cache would hold, without dropout or stochastic depth. Thawed blocks have theirs, as their authors
    trained them. Where all kept blocks are frozen the source is `keep`, and the input is pooled vectors.
    """

    source: int
    keep: int
    freeze_depth: int
    pooling: str

    @property
    def trains_blocks(self) -> bool:
        """Whether more than the head is trained."""
        return self.freeze_depth < self.keep


class Suffix:
    """A compiled network on the activations of one block, from which trial after trial starts anew.

    `backbone` holds the weights that are trained; suffixes of other shapes share it, so only one of them is in use at a
    time, from `start` on.
    """

    def __init__(self, backbone: Backbone, shape: Shape, classes: int, *, train_batchnorm: bool) -> None:
        self.shape = shape
        self._backbone = backbone
        self._train_batchnorm = train_batchnorm
        self._freeze()
        self._random_states: list[keras.Variable] = []
        if shape.trains_blocks:
            thawed = backbone.slice(shape.freeze_depth, shape.keep)
            inputs, features = thawed.inputs[0], thawed.output
            if shape.source < shape.freeze_depth:
                frozen = backbone.slice(shape.source, shape.freeze_depth)
                inputs, features = frozen.inputs[0], thawed(_InInference(frozen)(frozen.inputs[0]))
            weights = {id(weight) for weight in thawed.weights}
            self._random_states = [variable for variable in thawed.variables if id(variable) not in weights]
        else:
            inputs = features = keras.Input((2 * backbone.output_shape(shape.keep)[-1],))
        self._dropout = _Dropout(dtype="float32")
        output, self._statistics = add_head(features, classes, pooling=shape.pooling, dropout=self._dropout, seed=0)
        self.model = keras.Model(inputs, output)
        self._optimizer = GroupedAdamW(in_head=lambda variable: variable.path.startswith("head/"))
        half = backbone.compute_dtype == "float16" and shape.trains_blocks
        self.model.compile(
            # Gradients in half precision underflow unless the loss is scaled (Micikevicius et al. 2018, 1710.03740).
            keras.optimizers.LossScaleOptimizer(self._optimizer) if half else self._optimizer,
            "sparse_categorical_crossentropy",
            jit_compile=compile_with_xla(),
        )
        self.model.optimizer.build(self.model.trainable_variables)

    def start(
        self,
        settings: TrialSettings,
        weights: Backbone,
        features: NDArray[np.float32],
        *,
        seed: int,
        steps: int,
        warmup: int = 0,
    ) -> None:
        """Begin a training of `steps` steps: blocks as in `weights`, a new head, statistics of pooled `features`."""
        self._freeze()
        if self.shape.trains_blocks:
            copy_weights(weights.network, self._backbone.network)
        selected = select_pooling(features, self.shape.pooling)
        self._statistics.moving_mean.assign(selected.mean(axis=0))
        self._statistics.moving_variance.assign(selected.var(axis=0))
        head = self.model.get_layer("head")
        head.kernel.assign(keras.initializers.GlorotUniform(seed=seed)(head.kernel.shape))
        head.bias.assign(np.zeros(head.bias.shape))
        self._dropout.reset(settings.dropout, seed)
        for number, state in enumerate(self._random_states):
            own = np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1
            state.assign(keras.random.SeedGenerator(int(own)).state)
        self._optimizer.configure(settings, steps, warmup)
        if self.model.optimizer is not self._optimizer:
            self.model.optimizer.step_counter.assign(0)
            self.model.optimizer.dynamic_scale.assign(self.model.optimizer.initial_scale)

    def take_head(self, other: "Suffix") -> None:
        """Go on with the head that `other` trained, for the same pooling."""
        self.model.get_layer("head").set_weights(other.model.get_layer("head").get_weights())

    def whole_network(self, whole: Backbone) -> Any:
        """The float32 network from raw images to probabilities, in `whole`'s layers, with this suffix's weights."""
        if self.shape.trains_blocks:
            copy_weights(self._backbone.slice(0, self.shape.keep), whole.slice(0, self.shape.keep))
        classes, rate = self.model.output.shape[-1], float(self._dropout.rate)
        network = with_head(whole, self.shape.keep, classes, self.shape.pooling, rate)
        for name in ("feature_normalisation", "head"):
            network.get_layer(name).set_weights(self.model.get_layer(name).get_weights())
        return network

    def _freeze(self) -> None:
        """Before every use, because suffixes that share layers freeze them differently."""
        if self.shape.trains_blocks:
            self._backbone.freeze(self.shape.keep, self.shape.freeze_depth, train_batchnorm=self._train_batchnorm)


def with_head(whole: Backbone, keep: int, classes: int, pooling: str, dropout: float) -> Any:
    """The first `keep` blocks of `whole` under a new head: raw images [N, S, S, 3] to probabilities [N, classes]."""
    blocks = whole.slice(0, keep)
    output, _ = add_head(blocks.output, classes, pooling=pooling, dropout=dropout, seed=0)
    return keras.Model(blocks.inputs, output)


class Suffixes:
    """The suffixes used last, by shape: trials that differ in rates, decay or dropout share one, traced once."""

    def __init__(self, backbone: Backbone, classes: int, *, train_batchnorm: bool) -> None:
        self._backbone = backbone
        self._classes = classes
        self._train_batchnorm = train_batchnorm
        self._kept: OrderedDict[Shape, Suffix] = OrderedDict()

    def get(self, shape: Shape) -> Suffix:
        """The suffix of this shape; of those kept, the one that was used least recently makes room for a new one."""
        if shape not in self._kept:
            while len(self._kept) >= _KEPT:
                self._kept.popitem(last=False)
            self._kept[shape] = Suffix(self._backbone, shape, self._classes, train_batchnorm=self._train_batchnorm)
        self._kept.move_to_end(shape)
        return self._kept[shape]


class _InInference(keras.layers.Layer):  # type: ignore[misc]
    """Frozen blocks as they are in inference: a network in training puts every layer of its own graph in training."""

    def __init__(self, blocks: Any) -> None:
        super().__init__(autocast=False)
        self._blocks = blocks

    def call(self, inputs: Any) -> Any:
        return self._blocks(inputs, training=False)


class _Dropout(keras.layers.Layer):  # type: ignore[misc]
    """Dropout whose rate is a variable, so that trials of other rates share one graph."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.rate = self.add_weight(name="rate", shape=(), initializer="zeros", trainable=False)
        self._seed = keras.random.SeedGenerator(0)

    def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  # as Keras calls it
        """In training, `inputs` with a share of `rate` of them set to zero and the others scaled up."""
        if not training:
            return inputs
        kept = keras.random.uniform(keras.ops.shape(inputs), seed=self._seed) >= self.rate
        return keras.ops.where(kept, inputs / (1 - self.rate), 0.0)

    def reset(self, rate: float, seed: int) -> None:
        """Use `rate`, and draw from `seed` on."""
        self.rate.assign(rate)
        self._seed.state.assign(keras.random.SeedGenerator(seed).state)
