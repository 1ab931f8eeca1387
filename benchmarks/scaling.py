"""What a study's time grows with: number of trials, images, image size. Where it is flat, where linear, and why.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --small

Runs real studies of VGG16 on solar cells, each in a process of its own, from an empty prefix cache and with Optuna and
MLflow on new SQLite files. One of the three is varied, the other two stay at the base. Each study's time is divided:

- starting: building the networks, and the estimate, for which the machine is timed. Flat in all three.
- filling the cache, one pass of every view through every block: linear in images and in pixels, flat in trials.
- heads, on pooled vectors: linear in trials and in images (epochs are fixed), flat in image size.
- thawed trials: linear in trials and in pixels. Flat in images, because `train.budget` is a number of images; linear
  from where one epoch, the fewest, is more than that. Tracing a new graph is a flat part of each trial.
- bookkeeping, what Optuna and MLflow take, reports after each epoch included: linear in trials, flat in the others, and
  at most 5% of a study.

Of four trials in a row one is a head on every block, one a head on all but the last, one thaws the last block, one all;
the next four have another pooling, so that none shares a graph with one before. All are validated by a hold-out.
Whatever they score, no trial ends early: the pruner is asked, and not obeyed. Reading the images, making the empty
databases, importing Keras and the refit of the winner are not counted. All else is as `params.yaml` says.

Writes a row per study to `docs/results/scaling.csv`, draws `scaling.png`, and prints two tables: seconds, and by which
power of trials, images or image size they grow from one value to the next (0: flat, 1: linear, 2: linear in pixels).
"""

import argparse
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from frostline.runtime.environment import set_defaults

set_defaults()

import optuna
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import Config, SearchConfig
from frostline.plots.style import DPI, PALETTE, style
from frostline.runtime.progress import say
from frostline.search.estimate import estimate_study
from frostline.search.objective import Objective
from frostline.search.space import guide_settings
from frostline.search.study import list_studies, open_study, run_study
from frostline.tracking.runs import Tracker
from frostline.training.cell import make_cell
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import Trainer, Validation, Watcher
from machine import describe, machine, markdown_table
from regimes import BACKBONE, FOLDER, pack

DATASET = "solar_cells"
WORK = Path(".cache/scaling")  # on the disk that the prefix cache is on by default
RESULTS = FOLDER / "scaling.csv"
PARTS = {"starting": "grey", "filling": "sky", "heads": "green", "thawed": "blue", "bookkeeping": "vermilion"}
BOUND = 0.05


@dataclass(frozen=True)
class Point:
    """What one study is of: its trials, images per class of its cell, pixels a side."""

    trials: int = 8
    per_class: int = 100
    image_size: int = 64


VARIED = {"trials": [4, 8, 16], "per_class": [50, 100, 200], "image_size": [48, 64, 96]}
SMALL = {"trials": [4, 8], "per_class": [20, 40], "image_size": [32, 48]}
NAMES = {"trials": "trials", "per_class": "images per class", "image_size": "image size, pixels a side"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--small", action="store_true", help="a first look; writes to .cache/scaling")
    arguments.add_argument("--repeats", type=int, default=1)
    options = arguments.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    varied, base, results = VARIED, Point(), RESULTS
    if options.small:
        varied, base, results = SMALL, Point(4, 20, 32), WORK / "small.csv"
    WORK.mkdir(parents=True, exist_ok=True)
    points = [replace(base, **{name: value}) for name, values in varied.items() for value in values]
    rows: list[dict[str, object]] = []
    # A process of its own for each study: no graph, memory or file that another one left.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for repeat in range(1, options.repeats + 1):
            for point in dict.fromkeys(points):
                say(f"{point}, repeat {repeat} of {options.repeats}")
                rows.append({"repeat": repeat} | pool.submit(measure, point).result())
                pd.DataFrame(rows).assign(**machine()).to_csv(results, index=False)
    studies = pd.DataFrame(rows)
    figure(studies, base, varied).savefig(results.with_suffix(".png"))
    each, highest = (studies["bookkeeping_seconds"] / studies["trials"]).median(), studies["share"].max()
    verdict = "within" if highest <= BOUND else "OVER"
    found = f"Bookkeeping takes {each:.2f} s a trial, and {highest:.1%} of a study at most: {verdict} {BOUND:.0%}."
    print(table(studies), growth_table(studies, base, varied), found, describe(), sep="\n\n")


def measure(point: Point) -> dict[str, object]:
    """Run one study, and say what it took."""
    config = load_config()
    config = changed(config, "train", {"folds_up_to": 0, "patience": config.train.epochs})
    config = changed(config, "search", {"trials": point.trials})
    backbone = config.backbone(BACKBONE).model_copy(update={"image_size": point.image_size})
    config = config.model_copy(update={"backbones": {BACKBONE: backbone}})
    packed = pack(config, DATASET)
    with TemporaryDirectory(dir=WORK) as folder:
        config = stored_in(config, Path(folder))
        tracker = Tracker.open(config.stores, DATASET)
        list_studies(config.stores.studies)
        started = time.perf_counter()
        cell = make_cell(packed, point.per_class, config.train, config.seed)
        cache = PrefixCache(config.stores.cache, int(config.stores.cache_gigabytes * 1e9))
        trainer = TimedTrainer(Setup(cell, BACKBONE, backbone, config.train, cache, config.seed))
        first = mixed_trials(point.trials, config.search, trainer.backbone.depth)
        estimate = estimate_study(trainer, config.search, first, cache.folder.path, cache.limit_bytes)
        estimated = time.perf_counter()
        trainer.setup.fill(config.search.views, estimate.cuts)
        filled = time.perf_counter()
        search(trainer, config, tracker, first, say)
        ended = time.perf_counter()
        cached = sum(entry.bytes for entry in cache.folder.entries())
    seconds = {"starting": estimated - started, "filling": filled - estimated, **trainer.seconds}
    whole = ended - started
    seconds["bookkeeping"] = whole - sum(seconds.values())
    return {
        **asdict(point),
        **{f"{name}_seconds": round(value, 3) for name, value in seconds.items()},
        "study_seconds": round(whole, 3),
        "share": round(seconds["bookkeeping"] / whole, 4),
        "images": len(cell.all_rows),
        "cuts": " ".join(map(str, estimate.cuts)),
        "cached_mb": round(cached / 1e6, 1),
        "peak_rss_mb": round(process_megabytes("VmHWM"), 1),
        "precision": trainer.setup.precision,
        "budget": config.train.budget,
        "epochs": config.train.epochs,
    }


def changed(config: Config, section: str, values: Mapping[str, object]) -> Config:
    """`config` with other values in one section."""
    return config.model_copy(update={section: getattr(config, section).model_copy(update=values)})


def stored_in(config: Config, folder: Path) -> Config:
    """`config` with every store in `folder`."""
    databases = {name: f"sqlite:///{folder / name}.db" for name in ("tracking", "studies")}
    return changed(config, "stores", databases | {"cache": folder / "cache"})


def mixed_trials(count: int, search: SearchConfig, depth: int) -> list[TrialSettings]:
    """Two heads, the last block thawed, all blocks thawed; and again with another pooling."""
    middle = guide_settings("end_of_convnet", search, depth)
    depths = [(depth, 0), (depth - 1, 0), (depth, 1), (depth, depth)]
    poolings = search.pooling
    return [
        replace(middle, keep=keep, thaw=thaw, pooling=poolings[trial // len(depths) % len(poolings)])
        for trial in range(count)
        for keep, thaw in [depths[trial % len(depths)]]
    ]


def search(
    trainer: Trainer,
    config: Config,
    tracker: Tracker,
    trials: Sequence[TrialSettings],
    announce: Callable[[str], None],
) -> None:
    """A study of just these trials, all of them to their end."""
    parent = tracker.study_run(DATASET, DATASET, len(trials), {})
    objective = Objective(trainer, config.search, tracker, parent, {}, config.seed, announce)
    with open_study(config.stores.studies, DATASET, config.search, len(trainer.cell.folds)) as study:
        study.pruner = Disobeyed(study.pruner)
        run_study(study, objective, config.search, trials, config.seed)
    parent.end()


def process_megabytes(field: str) -> float:
    """A size in /proc/self/status, such as VmRSS (now), VmHWM (peak) or RssAnon (without mapped files); Linux only."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{field}:"))


class Disobeyed(optuna.pruners.BasePruner):
    """Asks a pruner, which takes its time, and goes on: time must not depend on scores."""

    def __init__(self, pruner: optuna.pruners.BasePruner) -> None:
        self._pruner = pruner

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        self._pruner.prune(study, trial)
        return False


class TimedTrainer(Trainer):
    """Adds up the seconds in `validate`, less those in which its watcher reports to Optuna."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seconds: Counter[str] = Counter()

    def validate(self, settings: TrialSettings, seed: int, watcher: Watcher) -> Validation:
        part = "thawed" if settings.thaw else "heads"
        with adding(self.seconds, part, 1):
            return super().validate(settings, seed, TimedWatcher(watcher, self.seconds, part))


@dataclass(frozen=True)
class TimedWatcher:
    watcher: Watcher
    seconds: Counter[str]
    part: str

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        with adding(self.seconds, self.part, -1):
            self.watcher.epoch(epoch, metrics)

    def fold(self, history: list[dict[str, float]], first: int, certainties: NDArray[Any]) -> None:
        with adding(self.seconds, self.part, -1):
            self.watcher.fold(history, first, certainties)


@contextmanager
def adding(seconds: Counter[str], part: str, sign: int) -> Iterator[None]:
    """Add the block's seconds to those of `part`, or take them off."""
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[part] += sign * (time.perf_counter() - started)


def table(studies: pd.DataFrame) -> str:
    """A row a study: medians over repeats, with the lowest and highest of the whole where there are several."""
    lines = []
    for key, rows in studies.groupby(list(NAMES), sort=False):
        middle = rows.median(numeric_only=True)
        whole = f"{middle['study_seconds']:.1f}"
        if len(rows) > 1:
            whole += f" ({rows['study_seconds'].min():.1f} to {rows['study_seconds'].max():.1f})"
        lines.append(
            dict(zip(NAMES.values(), key, strict=True))
            | {f"{part}, s": f"{middle[f'{part}_seconds']:.2f}" for part in PARTS}
            | {"study, s": whole, "bookkeeping, %": f"{100 * middle['share']:.1f}"}
            | {"cached, MB": f"{middle['cached_mb']:.0f}", "peak RSS, MB": f"{middle['peak_rss_mb']:.0f}"}
        )
    return markdown_table(pd.DataFrame(lines))


def growth_table(studies: pd.DataFrame, base: Point, varied: Mapping[str, Sequence[int]]) -> str:
    """The power of trials, images or image size by which each part grows from one value to the next."""
    lines = []
    for name in varied:
        for (less, low), (more, high) in pairwise(series(studies, base, name).iterrows()):
            powers = {
                part: math.log(high[f"{part}_seconds"] / low[f"{part}_seconds"]) / math.log(more / less)
                for part in [*PARTS, "study"]
            }
            steps = {"with": f"{NAMES[name]}, {less} to {more}"}
            lines.append(steps | {part: f"{power:.2f}" for part, power in powers.items()})
    return markdown_table(pd.DataFrame(lines))


def series(studies: pd.DataFrame, base: Point, name: str) -> pd.DataFrame:
    """Medians over repeats by the values of what is varied, the others at the base."""
    others = [other for other in NAMES if other != name]
    chosen = studies[(studies[others] == [getattr(base, other) for other in others]).all(axis=1)]
    return chosen.groupby(name).median(numeric_only=True)


def figure(studies: pd.DataFrame, base: Point, varied: Mapping[str, Sequence[int]]) -> Figure:
    """One panel for each of the three: a bar a study, its parts stacked."""
    picture = Figure(figsize=(11, 4.5), dpi=DPI, layout="constrained")
    panels = picture.subplots(1, len(varied), sharey=True)
    for axes, name in zip(panels, varied, strict=True):
        rows = series(studies, base, name)
        style(axes, f"by {NAMES[name].partition(',')[0]}")
        bottom = 0.0 * rows["study_seconds"]
        for part, colour in PARTS.items():
            seconds = rows[f"{part}_seconds"]
            axes.bar(range(len(rows)), seconds, bottom=bottom, color=PALETTE[colour], width=0.65, label=part, zorder=2)
            bottom += seconds
        axes.set_xticks(range(len(rows)), [str(value) for value in rows.index])
        axes.set_xlabel(NAMES[name])
    panels[0].set_ylabel("seconds of a study")
    handles, labels = panels[0].get_legend_handles_labels()
    picture.legend(handles[::-1], labels[::-1], loc="outside right upper", frameon=False)
    return picture


if __name__ == "__main__":
    main()
