"""What the images of a cell look like to the network that was trained on them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.readout import compress
from frostline.backbones.tapped import tap, tapped_block
from frostline.backbones.viewed import images_at_once
from frostline.data.arrays import Rows
from frostline.data.splits import cross_folds
from frostline.statistics.familiar import Familiar, fit_familiar
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup

__all__ = ["familiar_to", "tapped_layer"]

_FOLDS = 5
_MOST_IMAGES = 500


def tapped_layer(setup: Setup, settings: TrialSettings) -> str:
    """The layer after which a network of `settings` is tapped."""
    return setup.backbone.block_names[tapped_block(settings.keep) - 1]


def familiar_to(network: Any, setup: Setup, settings: TrialSettings) -> Familiar | None:
    """What is familiar to `network`, trained by `settings` on the cell of `setup`: by 500 of its images at most.

    Distances are held out by groups of near duplicates. None where no image could be held out.
    """
    packed, rows = setup.cell.packed, setup.cell.all_rows
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, _MOST_IMAGES).astype(int))]
    folds = next(iter(cross_folds(packed.index, rows, _FOLDS, 1, setup.seed)), ())
    if not folds:
        return None
    places = [(np.searchsorted(rows, known), np.searchsorted(rows, held)) for known, held in folds]
    return fit_familiar(compress(_tapped(network, setup, settings, rows)), packed.labels[rows], places)


def _tapped(network: Any, setup: Setup, settings: TrialSettings, rows: Rows) -> NDArray[np.float32]:
    """Pooled vectors [len(rows), 2C]: cached ones, unless the network has others of its own."""
    block = tapped_block(settings.keep)
    if block <= settings.freeze_depth:
        return setup.vectors.average(("identity",), block, rows)
    tapped = tap(network, tapped_layer(setup, settings))
    batches = np.array_split(rows, range(images_at_once(1), len(rows), images_at_once(1)))
    return np.concatenate([np.asarray(tapped.predict_on_batch(setup.cell.packed.images[rows])) for rows in batches])
