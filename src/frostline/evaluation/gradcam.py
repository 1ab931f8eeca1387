"""Grad-CAM: where in a picture a network saw what it says (Selvaraju et al. 2017, arXiv 1610.02391)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.readout import POOLED, slope
from frostline.backbones.viewed import viewed_in

__all__ = ["gradcam"]


def gradcam(network: Any, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Heat [n, h, w], from 0, at the last kept block of `network`, for `images` [n, S, S, 3] and class numbers [n].

    Equations 1 and 2, with the score before the softmax. frostline's head is linear in the compressed averages and
    maxima over positions, and both have a mean gradient of 1 / hw there, so that the gradient is known without
    computing one: it is the head's weight over the channel's deviation, times the slope of what compresses. That is the
    same on every backend. In older networks nothing was compressed, and the slope is 1.

    Where the head reads several blocks, the last one's weights are taken, which come last; where the network looks at
    several views, the image as it is: the heat is that of the same head on this view alone.
    """
    import keras

    viewed = viewed_in(network)
    # A read-out has one for every block that it reads (backbones.readout.pool); blocks have none of their own.
    read = [layer.input for layer in viewed.layers if isinstance(layer, keras.layers.GlobalMaxPooling2D)]
    compressed = any(layer.name == POOLED for layer in network.layers)
    vector = network.get_layer(POOLED).output if compressed and viewed is network else viewed.outputs[0]
    found = keras.Model(viewed.inputs, [read[-1], vector]).predict(images, verbose=0)
    maps, vectors = (np.asarray(each, dtype=np.float32) for each in found)
    _, height, width, channels = maps.shape
    normalisation = network.get_layer("feature_normalisation")
    deviation = np.sqrt(np.asarray(normalisation.moving_variance) + normalisation.epsilon)
    weights = np.asarray(network.get_layer("head").kernel)[:, classes].T / deviation
    if compressed:
        weights = weights * slope(vectors)
    poolings = weights.shape[1] // sum(each.shape[-1] for each in read)
    last = weights[:, -poolings * channels :].reshape(len(images), poolings, channels).sum(axis=1) / (height * width)
    heat: NDArray[np.float32] = np.einsum("nhwc,nc->nhw", maps, last)
    return np.maximum(heat, 0)
