"""What speed is measured on: a backbone, and real images at its size."""

import numpy as np
import pandas as pd

from frostline.backbones.catalogue import find_backbone
from frostline.backbones.surgery import Backbone, build_backbone
from frostline.backbones.weights import local_weights
from frostline.config.schema import BackboneConfig
from frostline.data.images import load_square
from frostline.data.packed import PackedImages
from frostline.data.sources.elpv import ElpvSource
from frostline.provenance import fingerprint

__all__ = ["measured_backbone", "solar_cells"]

SEED = 20


def measured_backbone(name: str, precision: str, image_size: int | None) -> Backbone:
    """A backbone at its native size or another, with ImageNet's weights if they are on this machine, else random ones.

    Speed does not depend on the weights.
    """
    found = local_weights(find_backbone(name, BackboneConfig()))
    config = BackboneConfig(image_size=image_size or "native", weights="imagenet" if found else None)
    return build_backbone(name, config, precision=precision, seed=SEED)


def solar_cells(count: int, size: int) -> PackedImages:
    """So many random solar cells of the package elpv-dataset, at `size` pixels a side, in memory."""
    source = ElpvSource.find(threshold=0.5)
    records = source.records()
    chosen = [records[row] for row in np.random.default_rng(SEED).permutation(len(records))[:count]]
    images = [load_square(source.root / each.image, size, "stretch", min_side=1, max_pixels=10**8) for each in chosen]
    return PackedImages(
        images=np.stack(images),
        labels=np.array([each.label == "functional" for each in chosen], dtype=np.int64),
        index=pd.DataFrame({"image": [each.image for each in chosen]}),
        classes=("defective", "functional"),
        image_size=size,
        resize="stretch",
        fingerprint=fingerprint([source.state(), [each.image for each in chosen], size]),
    )
