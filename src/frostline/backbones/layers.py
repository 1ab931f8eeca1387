"""The layers of a network, and of the networks inside it."""

from collections.abc import Iterator
from typing import Any

__all__ = ["batchnorms_in", "leaves"]


def leaves(network: Any) -> Iterator[Any]:
    """The layers of `network` in the order of its graph; in place of a network among them, its own."""
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer


def batchnorms_in(layer: Any) -> list[Any]:
    """The BatchNorm layers that `layer` is, or is made of: some layers of KerasHub are whole blocks."""
    import keras

    return [each for each in layer._flatten_layers() if isinstance(each, keras.layers.BatchNormalization)]
