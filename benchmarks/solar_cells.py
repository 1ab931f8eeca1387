"""Solar cells under the protocol of Deitsch et al. 2019 (arXiv 1807.02894), whose fine-tuned VGG19 has 0.8842 accuracy.

    python benchmarks/solar_cells.py
    python benchmarks/solar_cells.py --splits 0 1 2 --epochs 10 --trials 2 --cache .cache/solar_cells/cache

75% of the 2,624 cells train and 25% test, stratified by label (defective from a probability of 0.5 on) and cell type.
For each split, a study of one head and trials that thaw VGG16's last block (up to three, which differ in views and
learning rate; one by default) is validated on 15% of the training images; the one that the search would use is refitted
on all of them, and scored once on the test images. Activations are shared by all splits: the first one waits for them.

Writes a row per trial and split to `docs/results/solar_cells.csv` as it goes on (splits that are there are kept), and
prints a table. About 20 minutes a split on 2 quiet cores with bfloat16, 10 more for each further trial, and 20 minutes
once for the activations.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from frostline.runtime.environment import set_defaults

set_defaults()

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import StratifiedShuffleSplit

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig, Config, ElpvConfig
from frostline.data.manifest import build
from frostline.data.packed import Form, PackedImages, read_packed, write_packed
from frostline.data.sources import open_source
from frostline.runtime.progress import say
from frostline.search.objective import Objective
from frostline.search.study import POSITION, best_trial, finished_trials, open_study, run_study, seed_at
from frostline.search.trials import settings_of, trial_table
from frostline.tracking.runs import Tracker
from frostline.training.cell import make_cell
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import Trainer
from machine import describe
from regimes import append, finished

RESULTS = Path("docs/results/solar_cells.csv")
WORK = Path(".cache/solar_cells")
SOURCE = ElpvConfig(source="elpv", threshold=0.5)
PAPER = 0.8842
LAST_BLOCK_SHARE = 0.0904  # of VGG16's FLOPs
HEAD_EPOCHS = 30
HEAD = TrialSettings("pretrained", 5, 0, 0.001, 5e-5, 1.0, 0.5, "both", "flips")
LAST_BLOCK = replace(HEAD, thaw=1)
TRIALS = [
    HEAD,
    LAST_BLOCK,
    replace(LAST_BLOCK, backbone_learning_rate=1e-4),
    replace(LAST_BLOCK, views="identity"),
]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2], help="seeds of the splits")
    arguments.add_argument("--epochs", type=int, default=10, help="of a trial that thaws a block")
    arguments.add_argument("--image-size", type=int, default=224)
    arguments.add_argument(
        "--trials", type=int, default=2, help=f"of the list of {len(TRIALS)}, so many from its start"
    )
    arguments.add_argument("--cache", type=Path, default=WORK / "cache")
    options = arguments.parse_args()
    config = recipe(load_config(), options)
    packed = pack(config)
    done = finished(RESULTS, ["image_size", "epochs", "trials", "split"])
    for split in options.splits:
        if (options.image_size, options.epochs, options.trials, split) not in done:
            run(config, redrawn(packed, split), split, options)
    asked = {"image_size": options.image_size, "epochs": options.epochs, "trials": options.trials}
    rows = pd.read_csv(RESULTS).merge(pd.DataFrame([asked]))
    print(table(rows), describe(), sep="\n\n")


def recipe(config: Config, options: argparse.Namespace) -> Config:
    """The committed parameters, but for these."""
    train = {"epochs": HEAD_EPOCHS, "patience": HEAD_EPOCHS, "head_epochs": 20, "warmup": 0.15}
    train |= {"class_weights": False, "validation_fraction": 0.15, "folds_up_to": 0, "resident_gigabytes": 0.5}
    return config.model_copy(
        update={
            "train": config.train.model_copy(update=train),
            "search": config.search.model_copy(update={"trials": options.trials}),
            "backbones": {"vgg16": BackboneConfig(image_size=options.image_size)},
            "stores": config.stores.model_copy(
                update={
                    "tracking": f"sqlite:///{WORK}/mlflow.db",
                    "studies": f"sqlite:///{WORK}/optuna.db",
                    "cache": options.cache,
                    "cache_gigabytes": 100,
                }
            ),
        }
    )


def pack(config: Config) -> PackedImages:
    """All usable cells, decoded once."""
    size = int(config.backbone("vgg16").image_size)
    folder = WORK / f"packed-{size}"
    if not (folder / "packed.json").exists():
        source = open_source(SOURCE)
        manifest = build(source, SOURCE, config.prepare, config.seed).manifest
        write_packed(folder, manifest, source.root, Form(size, config.preprocess.resize), config.prepare)
    return read_packed(folder)


def redrawn(packed: PackedImages, seed: int) -> PackedImages:
    """The same images with the paper's kind of split."""
    strata = packed.index["label"] + packed.index["cell_type"]
    ((_, test),) = StratifiedShuffleSplit(1, test_size=0.25, random_state=seed).split(strata, strata)
    names = np.full(len(strata), "train", dtype=object)
    names[test] = "test"
    return replace(packed, index=packed.index.assign(split=names))


def run(config: Config, packed: PackedImages, split: int, options: argparse.Namespace) -> None:
    """Search, refit, test and write one split."""
    started = time.perf_counter()
    cell = make_cell(packed, len(packed.labels), config.train, split)
    budget = (options.epochs + 0.5) * LAST_BLOCK_SHARE * cell.training_images
    train = config.train.model_copy(update={"budget": budget})
    cache = PrefixCache(config.stores.cache, int(config.stores.cache_gigabytes * 1e9))
    trainer = Trainer(Setup(cell, "vgg16", config.backbone("vgg16"), train, cache, config.seed))
    trainer.setup.fill(["flips"], [trainer.backbone.depth - 1])
    filled = time.perf_counter()
    name = f"solar_cells-{options.image_size}px-{options.epochs}-{options.trials}-{split}"
    tracker = Tracker.open(config.stores, "solar_cells")
    parent = tracker.study_run(name, name, options.trials, {})
    objective = Objective(trainer, config.search, tracker, parent, {}, config.seed, say)
    with open_study(config.stores.studies, name, config.search, len(cell.folds)) as study:
        run_study(study, objective, config.search, TRIALS, config.seed)
        best = best_trial(study)
        trials = trial_table(finished_trials(study))
    parent.end()
    position = best.user_attrs[POSITION]
    network = trainer.refit(settings_of(best), best.user_attrs["epochs"], seed_at(config.seed, position))
    trained = time.perf_counter()
    test = np.flatnonzero(packed.index["split"] == "test")
    predicted = network.predict(np.asarray(packed.images[test]), verbose=0).argmax(axis=1)
    for row in trials.to_dict("records"):
        chosen = row["position"] == position + 1
        scores = {
            "test_accuracy": accuracy_score(packed.labels[test], predicted) if chosen else None,
            "test_balanced_accuracy": balanced_accuracy_score(packed.labels[test], predicted) if chosen else None,
            "fill_minutes": (filled - started) / 60,
            "search_and_refit_minutes": (trained - filled) / 60,
        }
        key = {"image_size": options.image_size, "epochs": options.epochs, "trials": options.trials, "split": split}
        shown = ("position", "state", "value", "epochs", "thaw", "views", "backbone_learning_rate", "seconds")
        append(key | {f"trial_{field}": row[field] for field in shown} | scores, RESULTS)


def table(rows: pd.DataFrame) -> str:
    """Per split, the trial that was used, its validation score, and the test."""
    used = rows[rows["test_accuracy"].notna()]
    lines = ["| split | used | validation, balanced | test accuracy | minutes |", "|---|---|---|---|---|"]
    for row in used.itertuples():
        what = f"thaw {row.trial_thaw}, {row.trial_views}, {row.trial_backbone_learning_rate:g}"
        minutes = f"{row.search_and_refit_minutes:.0f} + {row.fill_minutes:.0f}"
        lines.append(f"| {row.split} | {what} | {row.trial_value:.4f} | {row.test_accuracy:.4f} | {minutes} |")
    mean, spread = used["test_accuracy"].mean(), used["test_accuracy"].std()
    lines.append(
        f"\nTest accuracy {mean:.4f} ± {spread:.4f} (standard deviation) over {len(used)} splits; paper {PAPER}."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
