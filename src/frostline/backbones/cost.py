"""What a forward pass costs, known from shapes alone."""

import math
from typing import Any

__all__ = ["flops"]


def flops(network: Any) -> int:
    """Floating-point operations of one image's forward pass through the convolutions and dense layers of `network`.

    Two (multiply and add) per kernel entry and output position; biases, normalisation and activations are not counted.
    The network's image size must be fixed.
    """
    import keras

    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            total += flops(layer)
            continue
        kernels = sum(math.prod(weight.shape) for weight in layer.weights if "kernel" in weight.name)
        if kernels:
            total += 2 * kernels * math.prod(layer.output.shape[1:-1])
    return total
