"""What a head reads of feature maps, and the head itself, as layers of a network."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EPSILON", "POOLED", "add_head", "compress", "pool", "read_out", "select_pooling", "slope"]

EPSILON = 1e-3
"""What is added to the variance of a feature before the head divides by its root."""

POOLED = "pooled"
"""The layer that gives what a head compresses."""


def compress(features: Any) -> Any:
    """The inverse hyperbolic sine of `features`, arrays or tensors: linear near zero, a logarithm far from it.

    Pooled activations are bursty: their deviation grows with their mean, and a few images far out would decide a linear
    head. It makes more of their logarithms, as of their roots (power normalisation: Perronnin, Sanchez and Mensink
    2010, Improving the Fisher kernel for large-scale image classification, section 3.2). Roots are steep at zero, where
    most channels of deep blocks are; here the slope is 1 at most.

    >>> compress(np.array([-100.0, 0.0, 0.1, 100.0])).round(2).tolist()
    [-5.3, 0.0, 0.1, 5.3]
    """
    if isinstance(features, np.ndarray):
        return np.arcsinh(features)
    from keras import ops

    return ops.arcsinh(features)


def slope(features: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The derivative of `compress` at `features`."""
    slopes: NDArray[np.floating[Any]] = 1 / np.sqrt(features**2 + 1)
    return slopes


def pool(features: Any) -> Any:
    """Feature maps [N, h, w, C] to float32 vectors [N, 2C]: the average over positions, then the maximum."""
    from keras import layers

    average = layers.GlobalAveragePooling2D(dtype="float32")(features)
    maximum = layers.GlobalMaxPooling2D(dtype="float32")(features)
    return layers.Concatenate(dtype="float32")([average, maximum])


def select_pooling(vector: Any, pooling: str) -> Any:
    """Of a pooled vector [N, 2C], what `pooling` asks for: `average` [N, C], `maximum` [N, C] or `both` [N, 2C]."""
    channels = vector.shape[-1] // 2
    return {"average": vector[:, :channels], "maximum": vector[:, channels:], "both": vector}[pooling]


def read_out(features: Sequence[Any], pooling: str) -> Any:
    """What a head reads: of each of `features`, maps [N, h, w, C] or pooled vectors [N, 2C], what `pooling` asks for.

    Block after block in one vector [N, D].
    """
    from keras import layers

    vectors = [select_pooling(pool(each) if len(each.shape) == 4 else each, pooling) for each in features]
    return vectors[0] if len(vectors) == 1 else layers.Concatenate(dtype="float32")(vectors)


def add_head(vector: Any, classes: int, *, dropout: Any = 0.0, seed: int = 0) -> tuple[Any, Any]:
    """Compressed features, normalised, `dropout` (a rate or a layer) and a softmax over `classes`, all in float32.

    `vector` is [N, D], as `read_out` gives it. Returns the output [N, classes] and the layer `feature_normalisation`,
    whose `moving_mean` and `moving_variance` are the caller's to set from training features: it never updates them
    itself.
    """
    from keras import initializers, layers

    # A BatchNorm that never trains, not keras.layers.Normalization: its statistics are variables, so that they can be
    # set anew for each fold of a compiled network, and its epsilon tames channels that are constant in training.
    normalisation = layers.BatchNormalization(
        center=False, scale=False, trainable=False, epsilon=EPSILON, dtype="float32", name="feature_normalisation"
    )
    x = normalisation(compress(layers.Identity(dtype="float32", name=POOLED)(vector)))
    drop = dropout if callable(dropout) else layers.Dropout(dropout, seed=seed, dtype="float32")
    initial = initializers.GlorotUniform(seed=seed)
    head = layers.Dense(classes, activation="softmax", kernel_initializer=initial, dtype="float32", name="head")
    return head(drop(x)), normalisation
