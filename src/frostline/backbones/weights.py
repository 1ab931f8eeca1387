"""What a network's numbers are known by, and how they get from one network into another."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["WeightsRecord", "copy_weights", "digest"]


@dataclass(frozen=True)
class WeightsRecord:
    """Which weights a network has: where they were found, and the SHA-256 of their tensors."""

    source: str
    sha256: str


def digest(network: Any) -> str:
    """SHA-256 over the weights in layer order: each one's name, shape and little-endian float32 values.

    Layer names are left out, because Keras numbers unnamed layers differently each time a network is built; so are the
    numbers of unnamed weights (`variable_7`).
    """
    import keras

    sha = hashlib.sha256()
    for weight in network.weights:
        name = re.sub(r"^variable_\d+$", "variable", weight.name)
        sha.update(f"{name}{tuple(weight.shape)}".encode())
        sha.update(keras.ops.convert_to_numpy(weight).astype("<f4").tobytes())
    return sha.hexdigest()


def copy_weights(source: Any, target: Any) -> None:
    """Give `target` the weights of `source`, a network of the same layers. Raises ValueError if they do not fit."""
    import keras

    target.set_weights(source.get_weights())
    for layer in target.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with constants made from its weights
