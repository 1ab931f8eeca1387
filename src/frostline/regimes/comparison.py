"""Images as a backbone sees them, and as they are compared with the original data: at another size if need be."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.backbones.surgery import Backbone, build_backbone
from frostline.config.schema import BackboneConfig
from frostline.data.images import to_square
from frostline.regimes.activations import Activations, measure
from frostline.regimes.reference import Reference, find_reference

__all__ = ["Comparison", "Measurement", "prepare_comparison"]

_ENLARGED = 0.75
"""Of the size that a network sees: pictures below are enlarged so much that the blur would count as a difference."""

_HOLDS_FROM = 0.4
"""Of the native size: below, ImageNet's own images lie beyond the threshold (docs/results/shift.md)."""


@dataclass(frozen=True)
class Measurement:
    """The activations of some images as they are `seen`, and as they are `compared`."""

    seen: Activations
    compared: Activations

    def of(self, images: NDArray[np.int64]) -> "Measurement":
        """Those of some of the images, by position."""
        return Measurement(self.seen.of(images), self.compared.of(images))


@dataclass(frozen=True)
class Comparison:
    """A backbone at the image size of its search, the same at that of the comparison, and the latter's reference.

    `seen` and `compared` are one object where the sizes agree; `reference` is None where there is none.
    """

    seen: Backbone
    compared: Backbone
    reference: Reference | None

    @property
    def holds(self) -> bool:
        """Whether the reference fits original data at this size: BatchNorm's, from two fifths of the native size on."""
        batchnorm = self.reference is not None and self.reference.kind == "batchnorm"
        return not batchnorm or self.compared.image_size >= _HOLDS_FROM * self.compared.spec.native_size

    def measure(self, images: NDArray[np.uint8]) -> Measurement:
        """Run both over `images` [N, S, S, 3] in 0..255: once, if they are one."""
        seen = measure(self.seen, images)
        if self.compared is self.seen:
            return Measurement(seen, seen)
        size = self.compared.image_size
        resized = np.stack([to_square(Image.fromarray(image), size, "stretch") for image in images])
        return Measurement(seen, measure(self.compared, resized))


def prepare_comparison(name: str, config: BackboneConfig, backbone: Backbone, sides: Iterable[float]) -> Comparison:
    """Compare at the size at which `backbone` sees images, or at their own where that is much smaller.

    Enlarging blurs, and blur shifts every layer, although the pictures show the same things: photographs of 32 pixels
    would be called different from photographs. `sides` are the originals' shorter sides in pixels. BatchNorm's
    statistics, which hold for one size, are compared with at the size that `backbone` has.
    """
    reference = find_reference(backbone)
    size = max(backbone.spec.minimum_size, round(float(np.median(list(sides)))))
    if reference is None or reference.image_size is None or size >= _ENLARGED * backbone.image_size:
        return Comparison(backbone, backbone, reference)
    smaller = build_backbone(name, config.model_copy(update={"image_size": size}), precision=backbone.precision)
    return Comparison(backbone, smaller, find_reference(smaller))
