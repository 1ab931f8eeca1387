"""Does memory stay flat over many trials in one process? Linux only.

    python -m benchmarks.memory

Runs a study of VGG16 on noise at 32 pixels from random weights, for memory depends on neither: heads, the last block
thawed, all blocks thawed, random weights, each at several depths and poolings, shuffled, so that nearly every trial
needs a graph that is not kept. Writes the resident memory after each to `memory.csv`, draws `memory.png`, and prints
what a trial adds: the slope of a straight line through the second half, with its standard error. Up to 2 MB counts as
flat: 500 trials then add 1 GB.
"""

import gc
import math
import random
from collections.abc import Generator, Iterator, Sequence
from itertools import cycle, islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from frostline.config.load import load_config
from frostline.config.schema import SearchConfig
from frostline.plots.style import INK, PALETTE, chart, legend
from frostline.tracking.runs import Tracker
from frostline.training.reports import Report
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer, Validation

from .measuring import Option, describe, machine, markdown_table, parse, process_megabytes
from .training import listed_study, make_trainer, on_noise, standard, write_noise

FLAT = 2.0
SIZE, IMAGES = 32, 64


def main() -> None:
    options = parse(__doc__, trials=Option(50, smallest=6, help="6 or more"))
    count = options.trials
    with TemporaryDirectory(dir=options.work) as folder:
        packed = write_noise(Path(folder) / "packed", IMAGES, SIZE)
        config = on_noise(load_config(), Path(folder), SIZE, epochs=2, patience=2)
        trainer = make_trainer(config, packed, IMAGES, kind=WeighedTrainer)
        different = list(varied(config.search, trainer.backbone.depth))
        random.Random(config.seed).shuffle(different)
        trials = list(islice(cycle(different), count))
        with listed_study(trainer, config, Tracker.open(config.stores, "noise"), "noise", trials):
            measured = pd.DataFrame(trainer.rows)
    measured.assign(**machine()).to_csv(options.output / "memory.csv", index=False)
    half = measured[measured["trial"] > count // 2]
    line, covariance = np.polyfit(half["trial"], half["rss_mb"], 1, cov=True)
    error = math.sqrt(covariance[0, 0])
    figure(measured, half["trial"], line).savefig(options.output / "memory.png")
    shown = measured[measured["trial"] % max(1, count // 10) == 0]
    found = f"A trial adds {line[0]:+.2f} ± {error:.2f} MB over the second half: {verdict(line[0], error)}"
    print(markdown_table(shown), found, describe(), sep="\n\n")


class WeighedTrainer(Trainer):
    """Notes what the process holds after each trial."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.rows: list[dict[str, object]] = []

    def steps(self, settings: TrialSettings, seed: int) -> Generator[Report, bool, Validation]:
        validation = yield from super().steps(settings, seed)
        gc.collect()
        what = {"kind": kind_of(settings), "keep": settings.keep, "pooling": settings.pooling}
        resident = round(process_megabytes("VmRSS"), 1)
        self.rows.append({"trial": len(self.rows) + 1} | what | {"rss_mb": resident})
        return validation


def varied(search: SearchConfig, depth: int) -> Iterator[TrialSettings]:
    """Four kinds, at all depths but the first, under each pooling."""
    for pooling, keep in product(search.pooling, range(depth, 1, -1)):
        for init, thaw in (("pretrained", 0), ("pretrained", 1), ("pretrained", keep), ("random", keep)):
            yield standard(search, keep, thaw, init=init, pooling=pooling)


def kind_of(settings: TrialSettings) -> str:
    if settings.init == "random":
        return "random weights"
    return {0: "head", 1: "last block"}.get(settings.thaw, "all blocks")


def verdict(slope: float, error: float) -> str:
    """In words, with two standard errors to either side."""
    if slope + 2 * error <= FLAT:
        return "flat."
    return "GROWING." if slope - 2 * error > FLAT else "too uncertain, more trials would tell."


def figure(measured: pd.DataFrame, second_half: pd.Series, line: Sequence[float]) -> Figure:
    picture, axes = chart(8.5, 4.5, "Memory of one process, trial after trial")
    looks = {"head": ("green", "o"), "last block": ("blue", "s"), "all blocks": ("vermilion", "D")}
    for kind, (colour, marker) in (looks | {"random weights": ("purple", "^")}).items():
        rows = measured[measured["kind"] == kind]
        axes.scatter(rows["trial"], rows["rss_mb"], color=PALETTE[colour], marker=marker, s=24, label=kind, zorder=3)
    axes.plot(second_half, np.polyval(line, second_half), color=INK, label=f"{line[0]:+.2f} MB a trial")
    axes.set_ylim(0, 1.15 * measured["rss_mb"].max())
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("trial")
    axes.set_ylabel("resident memory, MB")
    legend(axes)
    return picture


if __name__ == "__main__":
    main()
