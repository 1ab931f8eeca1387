"""The trained part of a network: thawed blocks and head, compiled once for every trial of its shape."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from frostline.backbones.readout import add_head, read_out
from frostline.backbones.surgery import Backbone
from frostline.backbones.weights import copy_weights
from frostline.data.arrays import Rows
from frostline.runtime.devices import compile_with_xla
from frostline.training.fit import Inputs, TrainingDiverged, average_features
from frostline.training.optimizer import GroupedAdam
from frostline.training.ridge import LinearHead
from frostline.training.served import head_of, set_head
from frostline.training.settings import TrialSettings

__all__ = ["Shape", "Suffix", "Suffixes"]

_KEPT = 4


@dataclass(frozen=True)
class Shape:
    """What decides the graph: blocks `source` + 1 to `keep` run, those after `freeze_depth` are trained.

    Blocks between the source and the thawed ones are frozen ones whose activations are not worth caching: they give in
    training what the cache would hold, without dropout or stochastic depth. Thawed blocks have theirs, as their authors
    trained them. The head reads `blocks`, the last of which is `keep`; of those that are frozen it gets pooled vectors.
    """

    source: int
    blocks: tuple[int, ...]
    freeze_depth: int
    pooling: str

    @property
    def keep(self) -> int:
        """The last block that is kept."""
        return self.blocks[-1]

    @property
    def frozen(self) -> tuple[int, ...]:
        """Of the blocks that the head reads, those that are frozen."""
        return tuple(block for block in self.blocks if block <= self.freeze_depth)

    @property
    def thawed(self) -> tuple[int, ...]:
        """Of the blocks that the head reads, those that are trained."""
        return tuple(block for block in self.blocks if block > self.freeze_depth)


class Suffix:
    """A compiled network on the activations of one block, from which trial after trial starts anew.

    Its inputs are feature maps after the source and, where the head reads frozen blocks, their vectors as ReadOut gives
    them. `backbone` holds the weights that are trained; suffixes of other shapes share it, so only one of them is in
    use at a time, from `start` on.
    """

    def __init__(self, backbone: Backbone, shape: Shape, classes: int, *, train_batchnorm: bool) -> None:
        self.shape = shape
        self._backbone = backbone
        self._train_batchnorm = train_batchnorm
        self._freeze()
        thawed = backbone.taps(shape.freeze_depth, shape.thawed)
        inputs, features = thawed.inputs, thawed.outputs
        if shape.source < shape.freeze_depth:
            frozen = backbone.slice(shape.source, shape.freeze_depth)
            inputs, features = frozen.inputs, thawed(_InInference(frozen)(frozen.inputs[0]))
        vector = read_out(features, shape.pooling)
        if shape.frozen:
            width = sum(backbone.width(block, shape.pooling) for block in shape.frozen)
            inputs = [*inputs, keras.Input((width,), name="frozen_vectors")]
            vector = keras.layers.Concatenate(dtype="float32")([inputs[-1], vector])
        weights = {id(weight) for weight in thawed.weights}
        self._random_states = [variable for variable in thawed.variables if id(variable) not in weights]
        self._dropout = _Dropout(dtype="float32")
        output, _ = add_head(vector, classes, dropout=self._dropout)
        self._features = keras.Model(inputs, vector)
        self._features.jit_compile = compile_with_xla()
        self.model = keras.Model(inputs, output)
        self._optimizer = GroupedAdam(in_head=lambda variable: variable.path.startswith("head/"))
        half = backbone.compute_dtype == "float16"
        self.model.compile(
            # Gradients in half precision underflow unless the loss is scaled (Micikevicius et al. 2018, 1710.03740).
            keras.optimizers.LossScaleOptimizer(self._optimizer) if half else self._optimizer,
            "sparse_categorical_crossentropy",
            jit_compile=compile_with_xla(),
        )
        self.model.optimizer.build(self.model.trainable_variables)

    def start(self, settings: TrialSettings, weights: Backbone, head: LinearHead, *, seed: int, warmup: int) -> None:
        """Begin anew: blocks as in `weights`, the `head`, and rates that rise over so many steps."""
        self._freeze()
        copy_weights(weights.network, self._backbone.network)
        set_head(self.model, head)
        self._dropout.reset(float(settings.dropout or 0), seed)
        for number, state in enumerate(self._random_states):
            own = np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1
            state.assign(keras.random.SeedGenerator(int(own)).state)
        self._optimizer.configure(settings, warmup)
        if self.model.optimizer is not self._optimizer:
            self.model.optimizer.step_counter.assign(0)
            self.model.optimizer.dynamic_scale.assign(self.model.optimizer.initial_scale)

    def probabilities(self, inputs: Inputs, rows: Rows, views: int) -> NDArray[np.float32]:
        """Class probabilities [len(rows), K], of weights averaged over steps and features over the first so many views.

        Raises TrainingDiverged if a logit is no number, as after a last step that was too long.
        """
        with self._optimizer.averaged():
            features = average_features(self._features, inputs, rows, views)
            with np.errstate(all="ignore"):  # said below
                logits = head_of(self.model).logits(features)
        if not np.isfinite(logits).all():
            raise TrainingDiverged("the network's outputs are no longer numbers; the learning rate is too high")
        probabilities: NDArray[np.float32] = softmax(logits, axis=1)
        return probabilities

    def finish(self, whole: Backbone) -> LinearHead:
        """Write the trained blocks, averaged over steps, into `whole`, and give the head."""
        keep = self.shape.keep
        with self._optimizer.averaged():
            copy_weights(self._backbone.slice(0, keep), whole.slice(0, keep))
            return head_of(self.model)

    def _freeze(self) -> None:
        """Before every use, because suffixes that share layers freeze them differently."""
        self._backbone.freeze(self.shape.keep, self.shape.freeze_depth, train_batchnorm=self._train_batchnorm)


class Suffixes:
    """The suffixes used last, by shape: trials that differ in rates or dropout share one, traced once."""

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
