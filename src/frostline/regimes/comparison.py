"""At which size images are compared with the original data."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.backbones.surgery import Backbone, build_backbone
from frostline.config import BackboneConfig
from frostline.data.images import to_square
from frostline.regimes.activations import Activations, measure
from frostline.regimes.reference import Reference, find_reference

__all__ = ["Comparison", "prepare_comparison"]

_ENLARGED = 0.75
"""Of the size that a network sees: pictures below are enlarged so much that the blur would count as a difference."""


@dataclass(frozen=True)
class Comparison:
    """A backbone at the image size of the comparison, and its reference (None where there is none)."""

    backbone: Backbone
    reference: Reference | None

    def activations(self, images: NDArray[np.uint8]) -> Activations:
        """Those of `images` [N, S, S, 3], brought to this size."""
        size = self.backbone.image_size
        if images.shape[1] != size:
            images = np.stack([to_square(Image.fromarray(image), size, "stretch") for image in images])
        return measure(self.backbone, images)


def prepare_comparison(name: str, config: BackboneConfig, backbone: Backbone, sides: Iterable[float]) -> Comparison:
    """Compare at the size at which `backbone` sees images, or at their own where that is much smaller.

    Enlarging blurs, and blur shifts every layer, although the pictures show the same things: photographs of 32 pixels
    would be called different from photographs. `sides` are the originals' shorter sides in pixels. BatchNorm's
    statistics, which hold for one size, are compared with at the size that `backbone` has.
    """
    reference = find_reference(backbone)
    size = max(backbone.spec.minimum_size, round(float(np.median(list(sides)))))
    if reference is None or reference.image_size is None or size >= _ENLARGED * backbone.image_size:
        return Comparison(backbone, reference)
    smaller = build_backbone(name, config.model_copy(update={"image_size": size}), precision=backbone.precision)
    return Comparison(smaller, find_reference(smaller))
