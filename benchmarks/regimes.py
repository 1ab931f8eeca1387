"""The four-regime study: every strategy of the guide, in every cell, over several seeds, scored on test images.

A seed draws the test split, the cell, the initial weights and the order of training. Each strategy has the settings
that a study first tries it with, and is trained to its end: as in a study, the cell's first fold says for how many
epochs, those after which its validation loss is lowest; for so many it is trained on all of the cell's images. Beside
them stands `best_head`: of heads on neighbouring frozen blocks, however many, the one with the lowest Brier score out
of folds. Nothing else is chosen by a validation score, and what is shown is scored on test images.

    python -m benchmarks.regimes --dogs-cats FOLDER
    python -m benchmarks.regimes --dogs-cats FOLDER --image-size 96 --strategies end_of_convnet start_of_convnet

Writes a row per strategy, cell and seed to `regimes-<image size>px.csv` as it goes on; rows that are there are kept.
Then measures each cell's regime with each seed (`…-measured.csv`), draws `….png`, prints the tables of `regimes.md`.
"""

import argparse
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from frostline.backbones.surgery import build_backbone
from frostline.config.load import load_config
from frostline.config.schema import Config, FolderConfig, SearchConfig
from frostline.config.types import GUIDE
from frostline.data.packed import PackedImages
from frostline.evaluation.metrics import score
from frostline.plots.style import DPI, INK, PALETTE, style
from frostline.regimes.cells import profile_cells
from frostline.regimes.comparison import prepare_comparison
from frostline.runtime.precision import resolve_precision
from frostline.training.metrics import BRIER
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer

from .measuring import Option, finished, markdown_table, parse, record
from .training import BACKBONE, epochs_needed, guide_settings, least, make_trainer, pack, standard, stored_in

BEST_HEAD = "best_head"
TRIED = (*GUIDE, BEST_HEAD)
KEY = ["seed", "dataset", "size", "strategy"]
CELL = ["dataset", "size"]
DOGS_CATS = Option(kind=Path, required=True, help="the folder that holds cat/ and dog/")


def main() -> None:
    options = parse(
        __doc__,
        dogs_cats=DOGS_CATS,
        seeds=Option([20, 21, 22], smallest=[20]),
        image_size=Option(kind=int, help="pixels; else what the parameter file says"),
        strategies=Option(TRIED, choices=TRIED),
    )
    config = parameters(options)
    backbone = config.backbone(BACKBONE)
    size = options.image_size or int(backbone.image_size)
    config = config.model_copy(update={"backbones": {BACKBONE: backbone.model_copy(update={"image_size": size})}})
    results = options.output / f"regimes-{size}px.csv"
    measured: list[dict[str, object]] = []
    for config_of_seed in (config.model_copy(update={"seed": seed}) for seed in options.seeds):
        for dataset in config.datasets:
            packed = pack(config_of_seed, dataset, options.work, few=options.smallest)
            for cell in config.sizes:
                for row in run_cell(config_of_seed, dataset, cell, packed, options.strategies, results):
                    record(row, results)
            measured += measure_cells(config_of_seed, dataset, packed)
    regimes = pd.DataFrame(measured)
    regimes.to_csv(results.with_stem(f"{results.stem}-measured"), index=False)
    scores = pd.read_csv(results)
    figure(scores, regimes).savefig(results.with_suffix(".png"))
    tables = regime_table(regimes), score_table(scores, regimes), difference_table(scores)
    print(*map(markdown_table, tables), sep="\n\n")


def parameters(options: argparse.Namespace) -> Config:
    """Those of `regimes.yaml` with the dogs and cats as given; the smallest are of a few solar cells alone."""
    config = load_config(Path(__file__).with_name("regimes.yaml"))
    if options.smallest:
        config = stored_in(least(config), options.work)
        return config.model_copy(update={"datasets": {"solar_cells": config.dataset("solar_cells")}})
    pets = FolderConfig(source="folder", path=options.dogs_cats)
    return config.model_copy(update={"datasets": config.datasets | {"dogs_cats": pets}})


def run_cell(
    config: Config, dataset: str, size: str, packed: PackedImages, strategies: list[str], results: Path
) -> Iterator[dict[str, object]]:
    done = finished(results, KEY)
    left = [name for name in strategies if (config.seed, dataset, size, name) not in done]
    if not left:
        return
    trainer = make_trainer(config, packed, config.size(size))
    for strategy in left:
        depth = trainer.backbone.depth
        head = best_head(trainer, config.search) if strategy == BEST_HEAD else None
        settings = head or guide_settings(strategy, config.search, depth)
        key = {"seed": config.seed, "dataset": dataset, "size": size, "strategy": strategy}
        yield key | train_and_test(trainer, settings, config.seed)


def best_head(trainer: Trainer, search: SearchConfig) -> TrialSettings:
    """Of heads that read any run of neighbouring blocks, the one with the lowest Brier score out of folds."""
    runs = [range(first, last + 1) for last in range(1, trainer.backbone.depth + 1) for first in range(1, last + 1)]
    heads = [standard(search, blocks[-1], blocks=tuple(blocks)) for blocks in runs]
    return min(heads, key=lambda head: trainer.judged(trainer.heads.scores(head)).history[-1][BRIER])


def train_and_test(trainer: Trainer, settings: TrialSettings, seed: int) -> dict[str, object]:
    """Train on all of the cell's images, for as long as the first fold says, and score the test split."""
    packed = trainer.cell.packed
    test = np.flatnonzero(packed.index["split"] == "test")
    started = time.perf_counter()
    epochs = epochs_needed(trainer, settings, seed)
    model = trainer.refit(settings, epochs, seed)
    seconds = time.perf_counter() - started
    metrics = score(packed.labels[test], model.predict(packed.images[test], verbose=0), packed.classes)
    return {
        "images": len(trainer.cell.all_rows),
        "epochs": epochs,
        "seconds": round(seconds, 1),
        "test_images": len(test),
        "balanced_accuracy": round(metrics["balanced_accuracy"], 4),
        "accuracy": round(metrics["accuracy"], 4),
    }


def measure_cells(config: Config, dataset: str, packed: PackedImages) -> list[dict[str, object]]:
    """What the profile stage says of each cell under this seed."""
    precision = resolve_precision(config.train.precision)
    backbone = build_backbone(BACKBONE, config.backbone(BACKBONE), precision=precision, seed=config.seed)
    comparison = prepare_comparison(BACKBONE, config.backbone(BACKBONE), backbone, packed.training_sides())
    cells = profile_cells(comparison, packed, config.sizes, config.profile, config.seed)
    return [
        {
            "seed": config.seed,
            "dataset": dataset,
            "size": size,
            "regime": cell.regime,
            "recommended": " or ".join(cell.strategies),
            **(cell.shift.model_dump() if cell.shift else {}),
            "peak": cell.peak,
        }
        for size, cell in cells.items()
    ]


def regime_table(regimes: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cell": f"{dataset}-{size}",
            "regime (every seed)": ", ".join(rows["regime"].unique()),
            "shift, lowest to highest interval bound": f"{rows['low'].min():.3f} to {rows['high'].max():.3f}",
            "probe's best block, by seed": ", ".join(map(str, rows["peak"])),
        }
        for (dataset, size), rows in regimes.groupby(CELL, sort=False)
    )


def score_table(scores: pd.DataFrame, regimes: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds, as many as there are; what the guide recommends in bold."""
    grouped = scores.groupby([*CELL, "strategy"])["balanced_accuracy"]
    spread = grouped.std().map(" ± {:.3f}".format).where(grouped.count() > 1, " (one seed)")
    shown = grouped.mean().map("{:.3f}".format) + spread
    lines = []
    for (dataset, size), rows in regimes.groupby(CELL, sort=False):
        bold = dict.fromkeys(rows["recommended"].iloc[0].split(" or "), "**")
        texts = {name: bold.get(name, "") + shown[dataset, size, name] + bold.get(name, "") for name in tried(scores)}
        lines.append({"cell": f"{dataset}-{size}", "regime": rows["regime"].iloc[0]} | texts)
    return pd.DataFrame(lines)


def difference_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Within each seed, every strategy less `end_of_convnet`, in points: mean and range over seeds."""
    wide = scores.pivot_table(index=[*CELL, "seed"], columns="strategy", values="balanced_accuracy", sort=False)
    less = 100 * wide[tried(scores)].sub(wide["end_of_convnet"], axis=0).drop(columns="end_of_convnet")
    return pd.DataFrame(
        {"cell": f"{dataset}-{size}"} | {name: mean_and_range(rows[name]) for name in less}
        for (dataset, size), rows in less.groupby(CELL, sort=False)
    )


def mean_and_range(points: pd.Series) -> str:
    return f"{points.mean():+.1f} ({points.min():+.1f} to {points.max():+.1f})"


def tried(scores: pd.DataFrame) -> list[str]:
    """What there are scores of, strategies in the guide's order."""
    return [name for name in TRIED if name in set(scores["strategy"])]


def figure(scores: pd.DataFrame, regimes: pd.DataFrame) -> Figure:
    """One panel a cell, laid out as the guide's table: a dot a seed, a bar for the mean, dark if recommended."""
    datasets, sizes = list(dict.fromkeys(regimes["dataset"])), list(dict.fromkeys(regimes["size"]))
    picture = Figure(figsize=(10, 7.5), dpi=DPI, layout="constrained")
    panels = picture.subplots(len(sizes), len(datasets), sharex=True, squeeze=False)
    for (row, size), (column, dataset) in product(enumerate(sizes), enumerate(datasets)):
        axes = panels[row][column]
        cell = regimes[(regimes["dataset"] == dataset) & (regimes["size"] == size)].iloc[0]
        style(axes, f"{dataset}-{size}: {cell['regime']}")
        of_cell = scores[(scores["dataset"] == dataset) & (scores["size"] == size)]
        for place, strategy in enumerate(tried(scores)):
            values = of_cell[of_cell["strategy"] == strategy]["balanced_accuracy"]
            recommended = strategy in cell["recommended"].split(" or ")
            axes.bar(place, values.mean(), color=PALETTE["blue"] if recommended else "#C7D9E6", width=0.65, zorder=2)
            axes.scatter([place] * len(values), values, color=INK, s=18, zorder=3)
            axes.text(place, values.max() + 0.012, f"{values.mean():.3f}", ha="center", color=INK)
        axes.set_xticks(range(len(tried(scores))), [name.replace("_", "\n", 1) for name in tried(scores)])
        axes.set_ylim(0.5, 1.0)
        axes.set_ylabel("test balanced accuracy")
    picture.supxlabel("dark: what the guide recommends; dots: seeds", color=INK)
    return picture


if __name__ == "__main__":
    main()
