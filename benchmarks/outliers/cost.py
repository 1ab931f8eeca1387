"""What it costs to be told how strange a picture is."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from frostline.backbones.tapped import with_strangeness
from frostline.config.load import load_config
from frostline.training.familiarity import familiar_to, tapped_layer
from frostline.training.trial import Trainer

from ..measuring import interleaved
from ..training import standard

ROUNDS = 20


def costs(trainer: Trainer, depth: int, batches: list[int]) -> Iterator[dict[str, object]]:
    """A row per set of views and number of pictures: how many times as long a network takes that tells strangeness."""
    images = trainer.cell.packed.images
    for views in ("identity", "flips"):
        settings = standard(load_config().search, depth, views=views)
        network = trainer.refit(settings, 0, seed=1)
        familiar = familiar_to(network, trainer.setup, settings)
        assert familiar is not None
        telling = with_strangeness(network, tapped_layer(trainer.setup, settings), familiar)
        for count in batches:
            some = np.asarray(images[:count])
            timed = interleaved(
                {"plain": partial(network.predict_on_batch, some), "told": partial(telling.predict_on_batch, some)},
                ROUNDS,
            )
            ratios = np.divide(timed["told"].seconds, timed["plain"].seconds)
            low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75]).round(4).tolist()
            yield {
                "views": views,
                "pictures": count,
                "milliseconds": round(1000 * timed["plain"].median, 1),
                "ratio": middle,
                "ratio_low": low,
                "ratio_high": high,
            }
