"""Seconds of trials whose activations are on the device (`train.resident_gigabytes: 2`) or streamed to it (0)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.data.packed import PackedImages

from ..measuring import interleaved
from ..training import Unwatched, changed, make_trainer, standard


def resident_and_streamed(
    name: str, backbone: BackboneConfig, packed: PackedImages, folder: Path, repeats: int
) -> list[dict[str, Any]]:
    """Rows of the last block thawed, for 3 epochs, on a cache in `folder` that is filled before."""
    config = changed(load_config(), "train", folds_up_to=0, epochs=3, patience=3)
    config = config.model_copy(update={"backbones": {name: backbone}})
    cache = PrefixCache(folder, 10**10)
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    for how, gigabytes in {"resident": 2, "streamed": 0}.items():
        trainer = make_trainer(
            changed(config, "train", resident_gigabytes=gigabytes), packed, len(packed.labels), cache
        )
        depth = trainer.backbone.depth
        settings = standard(config.search, depth, 1)
        calls["last block thawed", how] = partial(trainer.validate, settings, config.seed, Unwatched())
    return [
        {
            "backbone": name,
            "pixels": packed.image_size,
            "precision": trainer.setup.precision,
            "what": what,
            "how": how,
            "seconds": round(timing.median, 3),
            "lowest": round(min(timing.seconds), 3),
            "highest": round(max(timing.seconds), 3),
        }
        for (what, how), timing in interleaved(calls, repeats).items()
    ]
