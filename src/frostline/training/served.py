"""The whole network that a trial comes to: from raw images to probabilities, over its views."""

from typing import Any

from frostline.backbones.readout import add_head, read_out
from frostline.backbones.surgery import Backbone
from frostline.backbones.viewed import FEATURES, average_over_views
from frostline.data.views import views_of
from frostline.training.ridge import LinearHead
from frostline.training.settings import TrialSettings

__all__ = ["head_of", "set_head", "whole_network"]


def whole_network(backbone: Backbone, settings: TrialSettings, head: LinearHead) -> Any:
    """Raw images [N, S, S, 3] in 0..255 to probabilities [N, K]: `backbone` under each test view, and `head`."""
    import keras

    taps = backbone.taps(0, settings.blocks)
    views = views_of(settings.test_views)
    vector = read_out(taps.outputs, settings.pooling)
    images = taps.inputs[0]
    if len(views) > 1:
        features = keras.Model(images, vector, name=FEATURES)
        images = keras.Input(images.shape[1:], dtype=images.dtype, name="images")
        vector = average_over_views(images, views, features)
    output, _ = add_head(vector, len(head.bias))
    network = keras.Model(images, output)
    set_head(network, head)
    return network


def head_of(network: Any) -> LinearHead:
    """The head of a network that `add_head` was used for."""
    import numpy as np

    normalisation, head = network.get_layer("feature_normalisation"), network.get_layer("head")
    weights = (normalisation.moving_mean, normalisation.moving_variance, head.kernel, head.bias)
    return LinearHead(*(np.array(each, dtype=np.float32) for each in weights))


def set_head(network: Any, head: LinearHead) -> None:
    """Give a network, for which `add_head` was used, this head."""
    normalisation, layer = network.get_layer("feature_normalisation"), network.get_layer("head")
    normalisation.moving_mean.assign(head.mean)
    normalisation.moving_variance.assign(head.variance)
    layer.set_weights([head.kernel, head.bias])
