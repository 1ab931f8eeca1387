"""A network that says of each image, beside what it is, how strange it looks.

What the head reads will not do: the last blocks see in everything the classes that they know. So a block before them is
tapped (docs/results/outliers.md).
"""

from typing import Any

from frostline.backbones.naming import stable_names
from frostline.backbones.readout import POOLED, compress, pool
from frostline.backbones.viewed import STACKED, viewed_in
from frostline.statistics.familiar import Familiar

__all__ = ["PROBABILITIES", "STRANGENESS", "tap", "tapped_block", "with_strangeness"]

PROBABILITIES, STRANGENESS = "probabilities", "strangeness"
"""The outputs of a network `with_strangeness`."""

_DEPTH = 0.75


def tapped_block(keep: int) -> int:
    """The block, from 1, whose vectors say how strange an image looks to a network of the first `keep` blocks."""
    return max(1, round(_DEPTH * keep))


def tap(network: Any, layer: str) -> Any:
    """The part of `network` from images [N, S, S, 3] in 0..255 to the pooled vectors [N, 2C] after its `layer`.

    A network that looks at each image under several views does so here under one alone, the image as it is.
    """
    import keras

    viewed = viewed_in(network)
    return keras.Model(viewed.inputs, _pooled(viewed, layer))


def with_strangeness(network: Any, layer: str, familiar: Familiar) -> Any:
    """`network` with a second output: the distance of each image, tapped after `layer`, from what is `familiar`.

    It is a dictionary: probabilities [N, K], and strangeness [N], from 0 on. `network`, of which its layers become
    part, is a float32 network with a head of `readout.add_head`.
    """
    import keras
    from keras import ops

    viewed = viewed_in(network)
    if viewed is network:
        probabilities, vector = network.output, _pooled(network, layer)
    else:
        stacked = network.get_layer(STACKED)
        views = len(stacked.input)
        features, taps = keras.Model(viewed.inputs, [viewed.output, _pooled(viewed, layer)])(stacked.output)
        probabilities = _head(network, ops.mean(ops.reshape(features, (views, -1, features.shape[-1])), axis=0))
        vector = ops.reshape(taps, (views, -1, taps.shape[-1]))[0]
    outputs = {PROBABILITIES: probabilities, STRANGENESS: _distance(compress(vector), familiar)}
    return keras.Model(network.inputs, outputs)


def _pooled(viewed: Any, layer: str) -> Any:
    names = stable_names(viewed)
    found = next(each for each in viewed.operations if names.get(each.name, each.name) == layer)
    return pool(found.output)


def _head(network: Any, vector: Any) -> Any:
    x = network.get_layer("feature_normalisation")(compress(network.get_layer(POOLED)(vector)))
    return network.get_layer("head")(x)


def _distance(vector: Any, familiar: Familiar) -> Any:
    """`Familiar.distances`, in layers that every export knows."""
    from keras import layers, ops

    standardise = layers.BatchNormalization(center=False, scale=False, epsilon=0, **_fixed("familiar_normalisation"))
    components = layers.Dense(familiar.components.shape[1], use_bias=False, **_fixed("familiar_components"))
    classes = layers.Dense(len(familiar.bias), **_fixed("familiar_classes"))
    x = standardise(vector)
    squared = ops.sum(ops.square(x), axis=1) - ops.sum(ops.square(components(x)), axis=1) + ops.min(classes(x), axis=1)
    standardise.set_weights([familiar.mean, 1 / familiar.scale**2])
    components.set_weights([familiar.components])
    classes.set_weights([familiar.kernel, familiar.bias])
    return ops.sqrt(ops.maximum(squared, 0.0))


def _fixed(name: str) -> dict[str, Any]:
    return {"trainable": False, "dtype": "float32", "name": name}
