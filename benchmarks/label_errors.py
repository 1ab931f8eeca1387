"""How well the stage `labels` finds labels that are known to be wrong.

    python -m benchmarks.label_errors --dogs-cats FOLDER

gives a share of a cell's images another class at random, lets a study of heads choose one by the labels that are then
there, and asks it about every label, as the stage does. The sets are solar cells of which the experts were sure (a
defect probability of 0 or 1), dogs and cats, and scikit-learn's digits in ten classes. Beside them, with a share of 0,
solar cells with the labels that they have: there the images count as wrong of which the experts were not sure.

Adds rows to `label_errors.csv` as it goes on, where those that are there are kept, and prints a table.
"""

import argparse
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from frostline.compute.local import InProcess
from frostline.config.effort import Effort
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.data.arrays import Rows
from frostline.data.packed import PackedImages
from frostline.evaluation.label_issues import held_out_cell, out_of_fold
from frostline.search.flights import run_study
from frostline.search.objective import Objective
from frostline.search.schedule import Schedule
from frostline.search.selection import Selection
from frostline.search.study import open_study
from frostline.search.trials import settings_of
from frostline.statistics.confident import doubts
from frostline.tracking.runs import Tracker
from frostline.tracking.studies import StudyRuns
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

from .measuring import Option, describe, finished, markdown_table, parse, record, spread
from .sets import OPTIONS, SPLIT, digits, packed_sets
from .training import BACKBONE, changed, make_trainer, stored_in

FILE = "label_errors.csv"
KEY = ["dataset", "share", "seed"]
SURE = ("0.0", "1.0")  # what the experts of the solar cells gave as the probability of a defect
UNSURE = "solar cells, all"


def main() -> None:
    options = parse(
        __doc__,
        **OPTIONS,
        heads=Option(16, smallest=3, help="in a study"),
        shares=Option([0.05, 0.1], smallest=[0.1], help="of wrong labels"),
        seeds=Option([0, 1, 2], smallest=[0]),
    )
    file, known = options.output / FILE, finished(options.output / FILE, KEY)
    for name, (config, packed) in data_sets(options).items():
        for share, seed in [(0.0, 0)] if name == UNSURE else product(options.shares, options.seeds):
            if (name, share, seed) not in known:
                row = measure(config, packed, share, seed, options)
                record(dict(zip(KEY, (name, share, seed), strict=True)) | row, file)
    print(markdown_table(summary(pd.read_csv(file))), describe(), sep="\n\n")


def data_sets(options: argparse.Namespace) -> dict[str, tuple[Config, PackedImages]]:
    """Packed images by the name of their set, with a config for them. What is no training image is in no cell."""
    sets = packed_sets(heads_alone(options), options)
    config, cells = sets[UNSURE] = sets["solar cells"]
    sure = cells.index["probability"].isin(SURE)
    sets["solar cells"] = (
        config,
        replace(cells, index=cells.index.assign(split=cells.index["split"].where(sure, "test"))),
    )
    alone = changed(config, "search", views=("identity",))  # a mirrored digit is another one, or none
    sets["digits"] = alone, digits(options.image_size)
    return sets


def heads_alone(options: argparse.Namespace) -> Config:
    """For a study of `options.heads` heads."""
    config = changed(load_config(), "stores", cache=options.work / "label-errors-cache")
    effort = Effort(heads=options.heads, thawed=0, images=0)
    return changed(config, "search", effort=effort, views=("identity",) if options.smallest else ("mirror",))


def measure(
    config: Config, packed: PackedImages, share: float, seed: int, options: argparse.Namespace
) -> dict[str, object]:
    """One row: wrong labels among so many images of a cell, and where the list has them."""
    rows = make_trainer(config, packed, options.per_class).cell.all_rows
    noisy, wrong = with_wrong_labels(packed, rows, share, seed) if share else (packed, unsure(packed))
    trainer = make_trainer(config, noisy, options.per_class)
    settings, study_seconds = best_head(trainer, config)
    started = time.perf_counter()
    cell = held_out_cell(noisy, rows, config.train, SPLIT)
    setup = Setup(cell, BACKBONE, config.backbone(BACKBONE), config.train, trainer.setup.cache, SPLIT)
    rows = cell.validation_rows
    found = doubts(out_of_fold(setup, settings), noisy.labels[rows])
    seconds = time.perf_counter() - started
    truth, count = wrong[rows], int(wrong[rows].sum())
    first = np.argsort(-found.margin, kind="stable")[:count]
    return {
        "images": len(rows),
        "wrong": count,
        "blocks": " ".join(map(str, settings.blocks)),
        "listed": len(found.ranking),
        "right": int(truth[found.ranking].sum()),
        "precision_at_wrong": round(float(truth[first].mean()), 4),
        "average_precision": round(float(average_precision_score(truth, found.margin)), 4),
        "study_seconds": round(study_seconds, 1),
        "labels_seconds": round(seconds, 1),
    }


def with_wrong_labels(
    packed: PackedImages, rows: Rows, share: float, seed: int
) -> tuple[PackedImages, NDArray[np.bool_]]:
    """`packed` where a share of `rows` has another class at random, and a mask [N] of those."""
    rng = np.random.default_rng([seed, round(100 * share)])
    chosen = rng.choice(rows, round(share * len(rows)), replace=False)
    labels, classes = packed.labels.copy(), len(packed.classes)
    labels[chosen] = (labels[chosen] + rng.integers(1, classes, len(chosen))) % classes
    index = packed.index.assign(label=np.array(packed.classes)[labels])
    return replace(packed, labels=labels, index=index), labels != packed.labels


def unsure(packed: PackedImages) -> NDArray[np.bool_]:
    """A mask [N] of the solar cells of which the experts were not sure."""
    return ~packed.index["probability"].isin(SURE).to_numpy()


def best_head(trainer: Trainer, config: Config) -> tuple[TrialSettings, float]:
    """What a study of heads ends with, and the seconds that its trials took."""
    schedule = Schedule(config.search, trainer.backbone.depth, None)
    with TemporaryDirectory() as folder:
        stores = stored_in(config, Path(folder)).stores
        with (
            open_study(stores.studies, "heads") as study,
            StudyRuns.open(Tracker.open(stores, "labels"), "heads", "heads", {}) as runs,
        ):
            started = time.perf_counter()
            run_study(study, Objective(trainer, schedule, runs, SPLIT), schedule, InProcess(trainer), SPLIT)
            seconds = time.perf_counter() - started
            rows = trainer.cell.validation_rows
            groups = trainer.cell.packed.index["group"].to_numpy(dtype=str)[rows]
            return settings_of(Selection.of(study, trainer.cell.packed.labels[rows], groups).winner), seconds


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, with their range."""
    found = found.assign(
        chance=found["wrong"] / found["images"],
        precision=found["right"] / found["listed"].clip(lower=1),
        recall=found["right"] / found["wrong"],
        time=found["labels_seconds"] / found["study_seconds"],
    )
    columns = {
        "chance": "of images are wrong",
        "precision_at_wrong": "precision at that number",
        "average_precision": "average precision",
        "listed": "listed",
        "precision": "of these wrong",
        "recall": "of the wrong ones",
        "time": "of the study's time",
    }
    table = found.groupby(["dataset", "share"])[list(columns)].agg(_spread).rename(columns=columns).reset_index()
    return table.drop(columns="share")


def _spread(values: "pd.Series[float]") -> str:
    return spread(values, 0 if values.max() > 1 else 2)


if __name__ == "__main__":
    main()
