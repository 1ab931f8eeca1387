"""Grad-CAM: where in a picture a network saw what it says (Selvaraju et al. 2017, arXiv 1610.02391)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["gradcam"]


def gradcam(network: Any, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Heat [n, h, w], from 0, at the last kept block of `network`, for `images` [n, S, S, 3] and class numbers [n].

    Equations 1 and 2, with the score before the softmax. frostline's head is linear in the averages and maxima over
    positions, and both have a mean gradient of 1 / hw there, so that the gradient is known without computing one: it is
    the head's weight over the channel's deviation. That is the same on every backend.
    """
    import keras

    (pooling,) = [layer for layer in network.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D)][-1:]
    maps = np.asarray(keras.Model(network.inputs, pooling.input).predict(images, verbose=0), dtype=np.float32)
    _, height, width, channels = maps.shape
    normalisation = network.get_layer("feature_normalisation")
    deviation = np.sqrt(np.asarray(normalisation.moving_variance) + normalisation.epsilon)
    slopes = np.asarray(network.get_layer("head").kernel) / deviation[:, None]
    weights = slopes.reshape(-1, channels, slopes.shape[1]).sum(axis=0) / (height * width)
    heat: NDArray[np.float32] = np.einsum("nhwc,nc->nhw", maps, weights[:, classes].T)
    return np.maximum(heat, 0)
