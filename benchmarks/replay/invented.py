"""A table of made-up curves, on which the replay can be seen to run."""

from pathlib import Path

import numpy as np

from ..curves.cells import CellKey
from ..curves.listing import listed
from ..curves.table import Curve, Table

EPOCHS, FOLDS, IN_FOLD, TESTED = 6, 3, 8, 40


def invent(folder: Path) -> Path:
    """Write it to `folder`."""
    rng, table, images = np.random.default_rng(0), Table(folder), FOLDS * IN_FOLD
    for seed in (20, 21):
        key = CellKey("invented", images // 2, seed)
        for name, settings in listed("identity").items():
            epochs = EPOCHS if settings.thaw else 1
            better = rng.normal(0.5, 0.5) + 0.2 * np.arange(epochs)[:, None]
            margins = (better + rng.normal(size=(epochs, images))).astype("f2")
            tests = better + rng.normal(size=(epochs, TESTED))
            right = np.packbits(tests > 0, axis=1)
            facts = {
                "settings": settings.model_dump(mode="json"),
                "images": images,
                "fold_sizes": [IN_FOLD] * FOLDS,
                "epoch_costs": [images * settings.thaw / 5] * FOLDS,
                "image_flops": 1e9,
                "head_flops": 1e6,
            }
            arrays = {
                "margins": margins,
                "raw_margins": margins,
                "right": right,
                "raw_right": right,
                "test_margins": np.repeat(tests[:1], 2, axis=0),
                "labels": (np.arange(images) % 2).astype(np.uint8),
                "test_labels": (np.arange(TESTED) % 2).astype(np.uint8),
            }
            table.add(Curve(key, "base", name, facts, arrays))
    return folder
