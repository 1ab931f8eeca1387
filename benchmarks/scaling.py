"""What a study's time grows with: number of trials, images, image size. Where it is flat, where linear, and why.

    python -m benchmarks.scaling

Runs real studies of VGG16 on solar cells, each in a process of its own, from an empty prefix cache and with Optuna and
MLflow on new SQLite files. One of the three is varied, the other two stay at the base. Each study's time is divided:

- starting: building the networks, and the estimate, for which the machine is timed. Flat in all three.
- filling the cache, one pass of every view through every block: linear in images and in pixels.
- heads, on pooled vectors: linear in trials; in images up to cubic, as their decompositions are.
- thawed trials: linear in trials, in pixels and in images. Tracing a new graph is a flat part of each trial.
- bookkeeping, what Optuna and MLflow take, reports after each epoch included: linear in trials, at most 5% of a study.

A quarter of the trials each are heads on every block, heads on all but the last, thaw the last block, thaw all. None
ends early, whatever it scores: those that thaw blocks train for `--epochs`. Reading the images, making the empty
databases, importing Keras and the refit of the winner are not counted. All else is as `params.yaml` says.

Writes a row per study to `scaling.csv`, draws `scaling.png`, and prints a table.
"""

import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import SearchConfig
from frostline.plots.style import DPI, PALETTE, style
from frostline.runtime.progress import say
from frostline.search.estimate import estimate_study
from frostline.search.study import list_studies
from frostline.tracking.runs import Tracker
from frostline.training.reports import Report
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer, Validation

from .measuring import Option, apart, describe, machine, markdown_table, parse, process_megabytes
from .training import BACKBONE, Listed, changed, least, listed_study, make_trainer, pack, standard, stored_in

DATASET = "solar_cells"
PARTS = {"starting": "grey", "filling": "sky", "heads": "green", "thawed": "blue", "bookkeeping": "vermilion"}
BOUND = 0.05


@dataclass(frozen=True)
class Point:
    """What one study is of: its trials, images per class of its cell, pixels a side."""

    trials: int = 8
    per_class: int = 100
    image_size: int = 64


VARIED = {"trials": [4, 8, 16], "per_class": [50, 100, 200], "image_size": [48, 64, 96]}
LEAST = Point(4, 4, 32)
NAMES = {"trials": "trials", "per_class": "images per class", "image_size": "image size, pixels a side"}


def main() -> None:
    options = parse(__doc__, epochs=Option(5, smallest=2, help="of a trial that thaws blocks"))
    base = LEAST if options.smallest else Point()
    varied = {name: [value] for name, value in asdict(LEAST).items()} if options.smallest else VARIED
    points = [replace(base, **{name: value}) for name, values in varied.items() for value in values]
    rows: list[dict[str, object]] = []
    for point in dict.fromkeys(points):
        say(f"{point}")
        rows.append(apart(measure, point, options.epochs, options.work, options.smallest))
        pd.DataFrame(rows).assign(**machine()).to_csv(options.output / "scaling.csv", index=False)
    studies = pd.DataFrame(rows)
    figure(studies, base, varied).savefig(options.output / "scaling.png")
    each, highest = (studies["bookkeeping_seconds"] / studies["trials"]).median(), studies["share"].max()
    verdict = "within" if highest <= BOUND else "OVER"
    found = f"Bookkeeping takes {each:.2f} s a trial, and {highest:.1%} of a study at most: {verdict} {BOUND:.0%}."
    print(table(studies), found, describe(), sep="\n\n")


def measure(point: Point, epochs: int, work: Path, few: bool) -> dict[str, object]:
    """Run one study, and say what it took."""
    config = least(load_config()) if few else load_config()
    config = changed(config, "train", folds_up_to=0, epochs=epochs, patience=epochs)
    backbone = config.backbone(BACKBONE).model_copy(update={"image_size": point.image_size})
    config = config.model_copy(update={"backbones": {BACKBONE: backbone}})
    packed = pack(config, DATASET, work, few=few)
    with TemporaryDirectory(dir=work) as folder:
        config = stored_in(config, Path(folder))
        tracker = Tracker.open(config.stores, DATASET)
        list_studies(config.stores.studies)
        started = time.perf_counter()
        cache = PrefixCache.of(config.stores)
        trainer = make_trainer(config, packed, point.per_class, cache, TimedTrainer)
        trials = mixed_trials(point.trials, config.search, trainer.backbone.depth)
        schedule = Listed.of(trials, trainer, config.search)
        estimate = estimate_study(trainer, schedule, cache.folder.path, cache.limit_bytes)
        estimated = time.perf_counter()
        trainer.setup.fill(config.search.views, estimate.cuts)
        filled = time.perf_counter()
        with listed_study(trainer, config, tracker, DATASET, trials):
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
        "images": len(trainer.cell.all_rows),
        "cuts": " ".join(map(str, estimate.cuts)),
        "cached_mb": round(cached / 1e6, 1),
        "peak_rss_mb": round(process_megabytes("VmHWM"), 1),
        "precision": trainer.setup.precision,
        "epochs": epochs,
    }


def mixed_trials(count: int, search: SearchConfig, depth: int) -> list[TrialSettings]:
    """Two heads, the last block thawed, all blocks thawed; and again with another pooling."""
    depths = [(depth, 0), (depth - 1, 0), (depth, 1), (depth, depth)]
    poolings = search.pooling
    return [
        standard(search, *depths[trial % len(depths)], pooling=poolings[trial // len(depths) % len(poolings)])
        for trial in range(count)
    ]


class TimedTrainer(Trainer):
    """Adds up the seconds in `steps`, less those between them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seconds: Counter[str] = Counter()

    def steps(self, settings: TrialSettings, seed: int) -> Generator[Report, bool, Validation]:
        steps, goes_on = super().steps(settings, seed), None
        while True:
            started = time.perf_counter()
            try:
                report = steps.send(goes_on)
            except StopIteration as end:
                return end.value
            finally:
                self.seconds["thawed" if settings.thaw else "heads"] += time.perf_counter() - started
            goes_on = yield report


def table(studies: pd.DataFrame) -> str:
    """A row a study."""
    seconds = {part: studies[f"{part}_seconds"].map("{:.2f}".format) for part in PARTS}
    shown = studies[list(NAMES)].rename(columns=NAMES).assign(**{f"{part}, s": each for part, each in seconds.items()})
    shown["study, s"] = studies["study_seconds"].map("{:.1f}".format)
    shown["bookkeeping, %"] = (100 * studies["share"]).map("{:.1f}".format)
    for name, column in {"cached, MB": "cached_mb", "peak RSS, MB": "peak_rss_mb"}.items():
        shown[name] = studies[column].map("{:.0f}".format)
    return markdown_table(shown)


def figure(studies: pd.DataFrame, base: Point, varied: Mapping[str, Sequence[int]]) -> Figure:
    """One panel for each of the three: a bar a study, its parts stacked."""
    picture = Figure(figsize=(11, 4.5), dpi=DPI, layout="constrained")
    panels = picture.subplots(1, len(varied), sharey=True)
    for axes, name in zip(panels, varied, strict=True):
        others = [other for other in NAMES if other != name]
        chosen = (studies[others] == [getattr(base, other) for other in others]).all(axis=1)
        rows = studies[chosen].sort_values(name)
        style(axes, f"by {NAMES[name].partition(',')[0]}")
        bottom = 0.0 * rows["study_seconds"]
        for part, colour in PARTS.items():
            seconds = rows[f"{part}_seconds"]
            axes.bar(range(len(rows)), seconds, bottom=bottom, color=PALETTE[colour], width=0.65, label=part, zorder=2)
            bottom += seconds
        axes.set_xticks(range(len(rows)), rows[name].astype(str))
        axes.set_xlabel(NAMES[name])
    panels[0].set_ylabel("seconds of a study")
    handles, labels = panels[0].get_legend_handles_labels()
    picture.legend(handles[::-1], labels[::-1], loc="outside right upper", frameon=False)
    return picture


if __name__ == "__main__":
    main()
