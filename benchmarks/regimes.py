"""The four-regime study: every strategy of the guide, in every cell, over several seeds, scored on test images.

A seed draws the test split, the cell, the initial weights and the order of training. Each strategy trains on all of
its cell's images, for as many epochs as the budget in `regimes.yaml` allows, with the settings that a study gives it
before Optuna proposes others: nothing is chosen by a validation score, so nothing here is an optimistic one.

    python benchmarks/regimes.py --seeds 20 21 22

Writes a row per strategy, cell and seed to `docs/results/regimes.csv` as it goes on; rows that are there are kept.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from frostline.config import Config, load_config
from frostline.data.manifest import build
from frostline.data.packed import PackedImages, read_packed, write_packed
from frostline.data.sources import open_source
from frostline.evaluation.metrics import score
from frostline.progress import say
from frostline.runtime import set_defaults
from frostline.search.space import guide_settings
from frostline.training.cell import make_cell
from frostline.training.prefix import PrefixCache
from frostline.training.settings import GUIDE
from frostline.training.trial import Trainer

HERE = Path(__file__).parent
RESULTS = Path("docs/results/regimes.csv")
WORK = Path(".cache/regimes")
BACKBONE = "vgg16"
KEY = ["seed", "dataset", "size", "strategy"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    arguments.add_argument("--params", type=Path, default=HERE / "regimes.yaml")
    options = arguments.parse_args()
    set_defaults()
    for seed in options.seeds:
        config = load_config(options.params).model_copy(update={"seed": seed})
        for dataset in config.datasets:
            packed = pack(config, dataset)
            for size in config.sizes:
                for row in run_cell(config, dataset, size, packed):
                    append(row)


def pack(config: Config, dataset: str) -> PackedImages:
    """The data set as `prepare` and `preprocess` make it under this seed."""
    folder = WORK / f"{dataset}-{config.seed}"
    if not folder.exists():
        options, size = config.dataset(dataset), config.backbone(BACKBONE).image_size
        source = open_source(options)
        manifest = build(source, options, config.prepare, config.seed).manifest
        write_packed(folder, manifest, source.root, int(size), config.preprocess.resize, config.prepare)
    return read_packed(folder)


def run_cell(config: Config, dataset: str, size: str, packed: PackedImages) -> Iterator[dict[str, object]]:
    done = set(pd.read_csv(RESULTS)[KEY].itertuples(index=False, name=None)) if RESULTS.exists() else set()
    left = [name for name in GUIDE if (config.seed, dataset, size, name) not in done]
    if not left:
        return
    cell = make_cell(packed, config.size(size), config.train, config.seed)
    cache = PrefixCache(config.stores.cache, int(config.stores.cache_gigabytes * 1e9))
    trainer = Trainer(cell, BACKBONE, config.backbone(BACKBONE), config.train, cache, config.seed)
    test = np.flatnonzero(packed.index["split"] == "test")
    for strategy in left:
        settings = guide_settings(strategy, config.search, trainer.backbone.depth)
        epochs = trainer.epochs(settings.keep, settings.thaw)
        started = time.perf_counter()
        model = trainer.refit(settings, epochs, config.seed)
        seconds = time.perf_counter() - started
        metrics = score(packed.labels[test], model.predict(packed.images[test], verbose=0), packed.classes)
        yield {
            "seed": config.seed,
            "dataset": dataset,
            "size": size,
            "strategy": strategy,
            "images": len(cell.all_rows),
            "epochs": epochs,
            "seconds": round(seconds, 1),
            "test_images": len(test),
            "balanced_accuracy": round(metrics["balanced_accuracy"], 4),
            "accuracy": round(metrics["accuracy"], 4),
        }


def append(row: dict[str, object]) -> None:
    say(", ".join(f"{name}={value}" for name, value in row.items()))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([row]).to_csv(RESULTS, mode="a", header=not RESULTS.exists(), index=False)


if __name__ == "__main__":
    main()
