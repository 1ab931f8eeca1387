"""Solar cells under the protocol of Deitsch et al. 2019 (arXiv 1807.02894), whose fine-tuned VGG19 has 0.8842 accuracy.

    python -m benchmarks.solar_cells
    python -m benchmarks.solar_cells --splits 0 --epochs 6

75% of the 2,624 cells train and 25% test, stratified by label (defective from a probability of 0.5 on) and cell type.
For each split, a study of a head on all blocks and of trials that thaw VGG16's last block, its last two blocks, or the
last one with another rate or without views (one by default, four at most) is validated on 15% of the training images;
the one that the search would use is refitted on all of them, and scored once on the test images. Activations are
shared by all splits: the first one waits for them.

Writes a row per trial and split to `solar_cells.csv` as it goes on (splits that are there are kept), prints a table.
About 20 minutes a split on 2 quiet cores with bfloat16, 10 more for each further trial of the last block, more for one
of two blocks, and 20 minutes once for the activations.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedShuffleSplit

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig, Config
from frostline.data.packed import PackedImages
from frostline.search.flights import seed_of
from frostline.search.selection import Selection
from frostline.search.trials import NUMBER, finished_trials, settings_of, trial_table
from frostline.tracking.runs import Tracker
from frostline.training.cell import make_cell
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

from .measuring import Option, append, describe, finished, markdown_table, parse
from .training import BACKBONE, changed, listed_study, pack, standard, stored_in

DATASET = "solar_cells"
PAPER = 0.8842
MOST = 5  # trials
KEY = ["image_size", "epochs", "trials", "split"]
SHOWN = ("state", "value", "epochs", "freeze_depth", "views", "backbone_learning_rate", "seconds")


def main() -> None:
    options = parse(
        __doc__,
        splits=Option([0, 1, 2], smallest=[0], help="seeds of the splits"),
        epochs=Option(10, smallest=1, help="at most, of a trial that thaws a block"),
        image_size=Option(224, smallest=32),
        trials=Option(2, help=f"of the list of {MOST}, so many from its start"),
    )
    results = options.output / "solar_cells.csv"
    config = recipe(load_config(), options)
    packed = pack(config, DATASET, options.work, few=options.smallest)
    done = finished(results, KEY)
    for split in options.splits:
        key = dict(zip(KEY, (options.image_size, options.epochs, options.trials, split), strict=True))
        if tuple(key.values()) not in done:
            append([key | row for row in run(config, redrawn(packed, split), split, options)], results)
    asked = pd.DataFrame([{name: getattr(options, name) for name in KEY[:-1]}])
    used = pd.read_csv(results).merge(asked).dropna(subset="test_accuracy")
    mean, spread = used["test_accuracy"].mean(), used["test_accuracy"].std()
    found = f"Test accuracy {mean:.4f} ± {spread:.4f} (standard deviation) over {len(used)} splits; paper {PAPER}."
    print(markdown_table(table(used)), found, describe(), sep="\n\n")


def recipe(config: Config, options: argparse.Namespace) -> Config:
    """The committed parameters, but for these."""
    config = changed(
        changed(stored_in(config, options.work / DATASET), "stores", cache_gigabytes=100),
        "train",
        epochs=options.epochs,
        class_weights=False,
        validation_fraction=0.15,
        folds_up_to=0,
        resident_gigabytes=0.5,
    )
    return config.model_copy(update={"backbones": {BACKBONE: BackboneConfig(image_size=options.image_size)}})


def listed(config: Config, depth: int) -> list[TrialSettings]:
    """A head on all blocks; the last one thawed, the last two, the last one at a lower rate, and without views."""
    head = {"blocks": tuple(range(1, depth + 1)), "pooling": "both", "views": "flips"}
    others = ((1, {}), (2, {}), (1, {"backbone_learning_rate": 3e-5}), (1, {"views": "identity"}))
    thawed = [standard(config.search, depth, thaw, **head | {"dropout": 0.5} | other) for thaw, other in others]
    return [standard(config.search, depth, **head), *thawed]


def redrawn(packed: PackedImages, seed: int) -> PackedImages:
    """The same images with the paper's kind of split."""
    strata = packed.index["label"] + packed.index["cell_type"]
    ((_, test),) = StratifiedShuffleSplit(1, test_size=0.25, random_state=seed).split(strata, strata)
    names = np.full(len(strata), "train", dtype=object)
    names[test] = "test"
    return replace(packed, index=packed.index.assign(split=names))


def run(config: Config, packed: PackedImages, split: int, options: argparse.Namespace) -> list[dict[str, object]]:
    """Search, refit and test one split."""
    started = time.perf_counter()
    cell = make_cell(packed, len(packed.labels), config.train, split)
    setup = Setup(cell, BACKBONE, config.backbone(BACKBONE), config.train, PrefixCache.of(config.stores), config.seed)
    trainer = Trainer(setup)
    trials = listed(config, trainer.backbone.depth)[: options.trials]
    trainer.setup.fill(["flips"], sorted({trial.freeze_depth for trial in trials if trial.thaw}))
    filled = time.perf_counter()
    name = f"solar_cells-{options.image_size}px-{options.epochs}-{options.trials}-{split}"
    tracker = Tracker.open(config.stores, DATASET)
    with listed_study(trainer, config, tracker, name, trials) as study:
        validation = cell.validation_rows
        groups = packed.index["group"].to_numpy(dtype=str)[validation]
        best = Selection.of(study, packed.labels[validation], groups).winner
        rows = trial_table(finished_trials(study)).to_dict("records")
    number = best.user_attrs[NUMBER]
    network = trainer.refit(settings_of(best), best.user_attrs["epochs"], seed_of(config.seed, number))
    trained = time.perf_counter()
    test = np.flatnonzero(packed.index["split"] == "test")
    labels = packed.labels[test]
    predicted = network.predict(np.asarray(packed.images[test]), verbose=0).argmax(axis=1)
    scores = {
        "test_accuracy": accuracy_score(labels, predicted),
        "test_balanced_accuracy": balanced_accuracy_score(labels, predicted),
    }
    minutes = {"fill_minutes": (filled - started) / 60, "search_and_refit_minutes": (trained - filled) / 60}
    return [
        {"trial": row["trial"]}
        | {f"trial_{field}": row[field] for field in SHOWN}
        | (scores if row["trial"] == number else dict.fromkeys(scores))
        | minutes
        for row in rows
    ]


def table(used: pd.DataFrame) -> pd.DataFrame:
    """Per split, the trial that was used, its validation score, and the test."""
    chosen = [f"trial_{name}" for name in ("freeze_depth", "views", "backbone_learning_rate", "value")]
    return used[["split", *chosen, "test_accuracy", "search_and_refit_minutes", "fill_minutes"]].round(5)


if __name__ == "__main__":
    main()
