"""Ways to train that a curve may be measured under.

`base` is what frostline did when the table's networks were trained, whose heads read pooled features as they are, and
the others change one thing of it: `compressed` is what frostline does today.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import keras
from keras import ops

from frostline.backbones import readout
from frostline.backbones.surgery import Backbone
from frostline.training import ridge, setup, suffix
from frostline.training.optimizer import GroupedAdam
from frostline.training.suffix import Suffix

Way = Callable[[], AbstractContextManager[None]]
"""While it is entered, frostline trains in this way."""

DECAY = 0.5  # of the learning rate, from a block to the one before it
PULL = 0.1  # towards pretrained weights: a middle value of the paper's
SMOOTHING = 0.1  # the share of a label that goes to all classes alike
EARLY = 2  # thawed blocks that are trained where the later ones are not
MOMENTUM = 0.9  # of the statistics before the head


@contextmanager
def plain_features() -> Iterator[None]:
    """Heads read pooled features as they are."""

    def unchanged(features: Any) -> Any:
        return features

    with (
        patch.object(readout, "compress", unchanged),
        patch.object(ridge, "compress", unchanged),
        patch.object(setup, "compress", unchanged),
    ):
        yield


@contextmanager
def layerwise_rates() -> Iterator[None]:
    """Each thawed block before the last is trained at half the learning rate of the one after it."""
    build, update_step = GroupedAdam.build, GroupedAdam.update_step

    def built(self: Any, variables: Any) -> None:
        build(self, variables)
        blocks = [_block_of(variable) for variable in variables]
        last = max(block for block in blocks if block)
        self.shares = [DECAY ** (last - block) if block else 1.0 for block in blocks]

    def updated(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        update_step(self, gradient, variable, learning_rate * self.shares[self._get_variable_index(variable)])

    with patch.multiple(GroupedAdam, build=built, update_step=updated):
        yield


@contextmanager
def l2_sp() -> Iterator[None]:
    """Weights are pulled back to where they began (Li et al. 2018, arXiv 1802.01483, equation 1)."""
    build, configure, update_step = GroupedAdam.build, GroupedAdam.configure, GroupedAdam.update_step

    def built(self: Any, variables: Any) -> None:
        build(self, variables)
        self.start = [self.add_variable_from_reference(variable, name="start") for variable in variables]

    def configured(self: Any, *arguments: Any) -> None:
        configure(self, *arguments)
        for variable, start in zip(self._trainable_variables, self.start, strict=True):
            start.assign(ops.copy(variable))

    def updated(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        start = self.start[self._get_variable_index(variable)]
        update_step(self, gradient + PULL * (variable - start), variable, learning_rate)

    with patch.multiple(GroupedAdam, build=built, configure=configured, update_step=updated):
        yield


@contextmanager
def label_smoothing() -> Iterator[None]:
    """A tenth of each label goes to all classes alike (Szegedy et al. 2016, arXiv 1512.00567, section 7)."""
    build = Suffix.__init__

    def loss(labels: Any, probabilities: Any) -> Any:
        probabilities = ops.clip(probabilities, 1e-7, 1.0)
        own = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        return (1 - SMOOTHING) * own - SMOOTHING * ops.mean(ops.log(probabilities), axis=-1)

    def built(self: Any, *arguments: Any, **options: Any) -> None:
        build(self, *arguments, **options)
        self.model.compile(self.model.optimizer, loss, jit_compile=self.model.jit_compile)

    with patch.object(Suffix, "__init__", built):
        yield


@contextmanager
def early_blocks() -> Iterator[None]:
    """Of the thawed blocks only the first two are trained: surgical fine-tuning (Lee et al. 2023, arXiv 2210.11466)."""
    freeze = Backbone.freeze

    def frozen(self: Any, keep: int, freeze_depth: int, *, train_batchnorm: bool = False) -> None:
        freeze(self, keep, freeze_depth, train_batchnorm=train_batchnorm)
        if keep > freeze_depth + EARLY:
            for layer in self.slice(freeze_depth + EARLY, keep).layers:
                layer.trainable = False

    with patch.object(Backbone, "freeze", frozen):
        yield


@contextmanager
def following_statistics() -> Iterator[None]:
    """The head normalises features by their batch, as BatchNorm does, and its statistics follow the thawed blocks."""

    class Following(keras.layers.BatchNormalization):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options | {"trainable": True, "momentum": MOMENTUM})

    def add_head(*arguments: Any, **options: Any) -> Any:
        with patch.object(keras.layers, "BatchNormalization", Following):
            return readout.add_head(*arguments, **options)

    with patch.object(suffix, "add_head", add_head):
        yield


def _block_of(variable: Any) -> int:
    """The number of VGG16's block that a variable belongs to, 0 for the head."""
    found = re.search(r"block(\d)_", variable.path)
    return int(found[1]) if found else 0


def _on_plain_features(way: Way) -> Way:
    @contextmanager
    def both() -> Iterator[None]:
        with plain_features(), way():
            yield

    return both


BASE, COMPRESSED = "base", "compressed"
VARIANTS: Mapping[str, Way] = {
    BASE: plain_features,
    "layerwise": _on_plain_features(layerwise_rates),
    "l2-sp": _on_plain_features(l2_sp),
    "smoothing": _on_plain_features(label_smoothing),
    "early": _on_plain_features(early_blocks),
    "following": _on_plain_features(following_statistics),
    COMPRESSED: nullcontext,
}
"""By name."""
OWN_HEADS = (BASE, COMPRESSED)
"""Those whose heads on frozen blocks differ; others have the heads of `base`."""
