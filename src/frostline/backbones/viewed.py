"""A network that looks at each image under several views."""

from collections.abc import Callable, Sequence
from typing import Any

from frostline.data.views import under

__all__ = ["average_over_views"]


def average_over_views(images: Any, views: Sequence[str], features: Callable[[Any], Any]) -> Any:
    """The mean [N, D] over `views` of what `features`, from images to vectors, gives of `images` [N, S, S, 3].

    `images` are a symbolic tensor in 0..255, of any dtype. `features` is called once, on all views stacked along the
    batch [V * N, S, S, 3]: memory and time are those of a batch so many times as long.
    """
    from keras import ops

    if len(views) == 1:
        return features(under(views[0], images))
    vectors = features(ops.concatenate([under(view, images) for view in views]))
    return ops.mean(ops.reshape(vectors, (len(views), -1, vectors.shape[-1])), axis=0)
