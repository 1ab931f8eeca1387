"""A network that looks at each image under several views."""

from collections.abc import Callable, Sequence
from typing import Any

from frostline.data.views import under

__all__ = ["FEATURES", "STACKED", "average_over_views", "images_at_once", "viewed_in", "views_in"]

STACKED = "views"
"""The layer that holds an image's views, one after another."""

FEATURES = "features"
"""The network that is called on them."""

_AT_ONCE = 32


def average_over_views(images: Any, views: Sequence[str], features: Callable[[Any], Any]) -> Any:
    """The mean [N, D] over `views` of what `features`, from images to vectors, gives of `images` [N, S, S, 3].

    `images` are a symbolic tensor in 0..255, of any dtype. `features` is called once, on all views stacked along the
    batch [V * N, S, S, 3]: memory and time are those of a batch so many times as long.
    """
    from keras import layers, ops

    if len(views) == 1:
        return features(under(views[0], images))
    stacked = layers.Concatenate(axis=0, dtype=images.dtype, name=STACKED)([under(view, images) for view in views])
    vectors = features(stacked)
    return ops.mean(ops.reshape(vectors, (len(views), -1, vectors.shape[-1])), axis=0)


def views_in(network: Any) -> int:
    """How many views a network looks at each image under, if it was built with `average_over_views`; else 1."""
    return next((len(layer.input) for layer in network.layers if layer.name == STACKED), 1)


def viewed_in(network: Any) -> Any:
    """What of `network` sees one view: a network inside it, or itself if it sees each image as it is."""
    return network.get_layer(FEATURES) if any(layer.name == STACKED for layer in network.layers) else network


def images_at_once(views: int) -> int:
    """How many images a network over so many views is given at once: 32 of all views together, but one at least.

    So it takes no more memory than a network over one view does.
    """
    return max(1, _AT_ONCE // views)
