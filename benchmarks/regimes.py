"""The four-regime study: every strategy of the guide, in every cell, over several seeds, scored on test images.

A seed draws the test split, the cell, the initial weights and the order of training. Each strategy trains on all of
its cell's images, for as many epochs as the budget in `regimes.yaml` allows, with the settings that a study gives it
before Optuna proposes others: nothing is chosen by a validation score, so nothing here is an optimistic one.

    python benchmarks/regimes.py --dogs-cats FOLDER --seeds 20 21 22
    python benchmarks/regimes.py --dogs-cats FOLDER --image-size 96 --strategies end_of_convnet start_of_convnet

Writes a row per strategy, cell and seed to `docs/results/regimes-<image size>px.csv` as it goes on; rows that are there
are kept. Then measures each cell's regime with each seed (`…-measured.csv`), draws `….png`, and prints the tables of
`regimes.md`.
"""

import argparse
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from frostline.runtime.environment import set_defaults

set_defaults()

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from frostline.backbones.surgery import build_backbone
from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import Config, FolderConfig
from frostline.config.types import GUIDE
from frostline.data.manifest import build
from frostline.data.packed import Form, PackedImages, read_packed, write_packed
from frostline.data.sources import open_source
from frostline.evaluation.metrics import score
from frostline.plots.style import DPI, INK, PALETTE, style
from frostline.regimes.cells import profile_cells
from frostline.regimes.comparison import prepare_comparison
from frostline.runtime.precision import resolve_precision
from frostline.runtime.progress import say
from frostline.search.space import guide_settings
from frostline.training.cell import make_cell
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

HERE = Path(__file__).parent
FOLDER = Path("docs/results")
WORK = Path(".cache/regimes")
BACKBONE = "vgg16"
KEY = ["seed", "dataset", "size", "strategy"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    arguments.add_argument("--dogs-cats", type=Path, required=True, help="the folder that holds cat/ and dog/")
    arguments.add_argument("--params", type=Path, default=HERE / "regimes.yaml")
    arguments.add_argument("--image-size", type=int, help="pixels; else what the parameter file says")
    arguments.add_argument("--strategies", nargs="+", choices=GUIDE, default=GUIDE)
    options = arguments.parse_args()
    config = with_pets(load_config(options.params), options.dogs_cats)
    backbone = config.backbone(BACKBONE)
    size = options.image_size or int(backbone.image_size)
    backbones = {BACKBONE: backbone.model_copy(update={"image_size": size})}
    results = FOLDER / f"regimes-{size}px.csv"
    measured: list[dict[str, object]] = []
    for seed in options.seeds:
        config = config.model_copy(update={"seed": seed, "backbones": backbones})
        for dataset in config.datasets:
            packed = pack(config, dataset)
            for cell in config.sizes:
                for row in run_cell(config, dataset, cell, packed, options.strategies, results):
                    append(row, results)
            measured += measure_cells(config, dataset, packed)
    regimes = pd.DataFrame(measured)
    regimes.to_csv(results.with_stem(f"{results.stem}-measured"), index=False)
    scores = pd.read_csv(results)
    figure(scores, regimes).savefig(results.with_suffix(".png"))
    print(regime_table(regimes), score_table(scores, regimes), difference_table(scores), sep="\n\n")


def with_pets(config: Config, folder: Path) -> Config:
    """`config` with the dogs and cats found in `folder`."""
    pets = FolderConfig(source="folder", path=folder)
    return config.model_copy(update={"datasets": config.datasets | {"dogs_cats": pets}})


def tried(scores: pd.DataFrame) -> list[str]:
    """The strategies that there are scores of, in the guide's order."""
    return [name for name in GUIDE if name in set(scores["strategy"])]


def pack(config: Config, dataset: str) -> PackedImages:
    """The data set as `prepare` and `preprocess` make it under this seed."""
    options, size = config.dataset(dataset), config.backbone(BACKBONE).image_size
    folder = WORK / f"{dataset}-{size}px-{config.seed}"
    if not folder.exists():
        source = open_source(options)
        manifest = build(source, options, config.prepare, config.seed).manifest
        write_packed(folder, manifest, source.root, Form(int(size), config.preprocess.resize), config.prepare)
    return read_packed(folder)


def run_cell(
    config: Config, dataset: str, size: str, packed: PackedImages, strategies: list[str], results: Path
) -> Iterator[dict[str, object]]:
    done = finished(results, KEY)
    left = [name for name in strategies if (config.seed, dataset, size, name) not in done]
    if not left:
        return
    trainer = make_trainer(config, packed, config.size(size))
    for strategy in left:
        settings = guide_settings(strategy, config.search, trainer.backbone.depth)
        epochs = trainer.epochs(settings.keep, settings.thaw)
        key = {"seed": config.seed, "dataset": dataset, "size": size, "strategy": strategy}
        yield key | train_and_test(trainer, settings, epochs, config.seed)


def make_trainer(config: Config, packed: PackedImages, per_class: int) -> Trainer:
    cell = make_cell(packed, per_class, config.train, config.seed)
    cache = PrefixCache(config.stores.cache, int(config.stores.cache_gigabytes * 1e9))
    return Trainer(Setup(cell, BACKBONE, config.backbone(BACKBONE), config.train, cache, config.seed))


def train_and_test(trainer: Trainer, settings: TrialSettings, epochs: int, seed: int) -> dict[str, object]:
    """Train on all of the cell's images, and score the test split."""
    packed = trainer.cell.packed
    test = np.flatnonzero(packed.index["split"] == "test")
    started = time.perf_counter()
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


def finished(results: Path, key: list[str]) -> set[tuple[object, ...]]:
    """The values of `key` of the rows that are there."""
    return set(pd.read_csv(results)[key].itertuples(index=False, name=None)) if results.exists() else set()


def append(row: dict[str, object], results: Path) -> None:
    say(", ".join(f"{name}={value}" for name, value in row.items()))
    pd.DataFrame([row]).to_csv(results, mode="a", header=not results.exists(), index=False)


def regime_table(regimes: pd.DataFrame) -> str:
    lines = ["| cell | regime (every seed) | shift, lowest to highest interval bound | probe's best block, by seed |"]
    lines.append("|---|---|---|---|")
    for (dataset, size), rows in regimes.groupby(["dataset", "size"], sort=False):
        names = ", ".join(rows["regime"].unique())
        peaks = ", ".join(str(peak) for peak in rows["peak"])
        lines.append(f"| {dataset}-{size} | {names} | {rows['low'].min():.3f} to {rows['high'].max():.3f} | {peaks} |")
    return "\n".join(lines)


def score_table(scores: pd.DataFrame, regimes: pd.DataFrame) -> str:
    """Mean and standard deviation over seeds; what the guide recommends in bold."""
    grouped = scores.groupby(["dataset", "size", "strategy"])["balanced_accuracy"]
    mean, deviation = grouped.mean(), grouped.std()
    names = tried(scores)
    lines = ["| cell | regime | " + " | ".join(names) + " |", "|---|---" + "|---" * len(names) + "|"]
    for (dataset, size), rows in regimes.groupby(["dataset", "size"], sort=False):
        recommended = rows["recommended"].iloc[0].split(" or ")
        shown = []
        for strategy in names:
            key = (dataset, size, strategy)
            text = f"{mean[key]:.3f} ± {deviation[key]:.3f}"
            shown.append(f"**{text}**" if strategy in recommended else text)
        lines.append(f"| {dataset}-{size} | {rows['regime'].iloc[0]} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def difference_table(scores: pd.DataFrame) -> str:
    """Within each seed, every strategy less `end_of_convnet`, in points: mean and range over seeds."""
    wide = scores.pivot_table(
        index=["dataset", "size", "seed"], columns="strategy", values="balanced_accuracy", sort=False
    )
    less = 100 * wide.sub(wide["end_of_convnet"], axis=0)
    others = [name for name in tried(scores) if name != "end_of_convnet"]
    lines = ["| cell | " + " | ".join(others) + " |", "|---" * (len(others) + 1) + "|"]
    for (dataset, size), rows in less.groupby(["dataset", "size"], sort=False):
        shown = [f"{rows[name].mean():+.1f} ({rows[name].min():+.1f} to {rows[name].max():+.1f})" for name in others]
        lines.append(f"| {dataset}-{size} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


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
