"""A network that says of each image, beside what it is, how strange it looks.

What the head reads will not do: the last blocks see in everything the classes that they know. So a block before them is
tapped (docs/results/outliers.md).

What is added lies in networks inside the network: Keras names operations by itself, and in a loaded network some may
have those names already.
"""

from typing import Any

from frostline.backbones.naming import stable_names
from frostline.backbones.readout import compress, pool
from frostline.backbones.viewed import FEATURES, STACKED, viewed_in
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

    A network that looks at each image under several views does so here under one alone, the image as it is. Raises
    LookupError if it has no such layer.
    """
    import keras

    viewed = viewed_in(network)
    maps = _after(viewed, layer)
    given = keras.Input(maps.shape[1:], dtype=maps.dtype)
    return keras.Model(viewed.inputs, keras.Model(given, pool(given), name="tapped")(maps))


def with_strangeness(network: Any, layer: str, familiar: Familiar) -> Any:
    """`network` with a second output: the distance of each image, tapped after `layer`, from what is `familiar`.

    It is a dictionary: probabilities [N, K], and strangeness [N], from 0 on. `network`, of which its layers become
    part, is a float32 network with a head of `readout.add_head`.
    """
    import keras

    viewed = viewed_in(network)
    if viewed is network:
        views, probabilities, maps = 1, network.output, _after(network, layer)
    else:
        stacked = network.get_layer(STACKED)
        views = len(stacked.input)
        inside = keras.Model(viewed.inputs, [viewed.output, _after(viewed, layer)], name=FEATURES)
        vectors, maps = inside(stacked.output)
        x = network.get_layer("feature_normalisation")(_averaged(vectors, views)(vectors))
        probabilities = network.get_layer("head")(x)
    outputs = {PROBABILITIES: probabilities, STRANGENESS: _distance(maps, views, familiar)(maps)}
    return keras.Model(network.inputs, outputs)


def _after(viewed: Any, layer: str) -> Any:
    """The feature maps [N, h, w, C] after the layer of that stable name."""
    names = stable_names(viewed)
    for operation in viewed.operations:
        if names.get(operation.name, operation.name) == layer:
            return operation.output
    raise LookupError(f"no layer {layer}")


def _averaged(vectors: Any, views: int) -> Any:
    """A network from what is read of all views, [V * N, D], to their mean, compressed: [N, D]."""
    import keras
    from keras import ops

    given = keras.Input(vectors.shape[1:])
    mean = ops.mean(ops.reshape(given, (views, -1, vectors.shape[-1])), axis=0)
    return keras.Model(given, compress(mean), name="averaged")


def _distance(maps: Any, views: int, familiar: Familiar) -> Any:
    """A network from the maps of all views, [V * N, h, w, C], to `Familiar.distances` by the first one: [N].

    It is of layers that every export knows.
    """
    import keras
    from keras import layers, ops

    given = keras.Input(maps.shape[1:])
    vector = pool(given)
    if views > 1:
        vector = ops.reshape(vector, (views, -1, vector.shape[-1]))[0]
    standardise = layers.BatchNormalization(center=False, scale=False, epsilon=0, **_fixed("familiar_normalisation"))
    components = layers.Dense(familiar.components.shape[1], use_bias=False, **_fixed("familiar_components"))
    classes = layers.Dense(len(familiar.bias), **_fixed("familiar_classes"))
    x = standardise(compress(vector))
    squared = ops.sum(ops.square(x), axis=1) - ops.sum(ops.square(components(x)), axis=1) + ops.min(classes(x), axis=1)
    standardise.set_weights([familiar.mean, 1 / familiar.scale**2])
    components.set_weights([familiar.components])
    classes.set_weights([familiar.kernel, familiar.bias])
    return keras.Model(given, ops.sqrt(ops.maximum(squared, 0.0)), name="familiarity")


def _fixed(name: str) -> dict[str, Any]:
    return {"trainable": False, "dtype": "float32", "name": name}
