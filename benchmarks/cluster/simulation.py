"""How long a study takes on more and more workers, and what asking for several trials at once costs it in quality."""

import argparse
from collections.abc import Iterator

import numpy as np
import pandas as pd

from frostline.config.effort import EFFORTS, Effort
from frostline.config.load import load_config
from frostline.runtime.progress import track
from frostline.search.trials import COST

from ..curves.variants import BASE
from ..measuring import append, finished
from ..replay.__main__ import read_worlds
from ..replay.frostline_policy import searched
from ..replay.invented import invent
from ..replay.world import World
from .pace import Pace
from .virtual import Metered, Virtual

FILE = "cluster-simulation.csv"
KEY = ["effort", "way", "workers", "cell", "repeat"]
LARGER = "larger"
STUDIES = {
    "quick": EFFORTS["quick"],
    LARGER: Effort(heads=60, thawed=239, images=1e9),
}
"""The default, and one that is so large that many workers are of use: 300 trials, each trained to its end."""
WAYS = ("asynchronous", "batches")
Point = tuple[str, str, int, World, int]


def simulate(options: argparse.Namespace) -> pd.DataFrame:
    """Run what the file has not yet."""
    file = options.output / FILE
    durations = pd.read_csv(options.durations)
    known, points = finished(file, KEY), list(listed(options))
    left = [each for each in points if (*each[:3], str(each[3].cell), each[4]) not in known]
    for point in track(left, "Simulated studies", len(left)):
        append([simulated(point, durations, options.driver)], file)
    return pd.read_csv(file)


def worlds_of(options: argparse.Namespace) -> list[World]:
    """The cells of the table of learning curves, or of a made-up one."""
    folder = invent(options.work / "invented") if options.smallest else options.table
    return list(read_worlds(folder, BASE, ""))


def listed(options: argparse.Namespace) -> Iterator[Point]:
    """One after another is one way, whichever way it would be with several workers."""
    worlds = worlds_of(options)
    for effort in options.efforts:
        for repeat in range(options.larger_repeats if effort == LARGER else options.quick_repeats):
            for workers in options.workers[:: 2 if effort == LARGER else 1]:
                for way in WAYS[:1] if workers == 1 else WAYS:
                    yield from ((effort, way, workers, world, repeat) for world in worlds)


def simulated(point: Point, durations: pd.DataFrame, driver: float) -> dict[str, object]:
    effort, way, count, world, repeat = point
    trainer = Metered(world, load_config())
    workers = Virtual(trainer, count, Pace.of(durations, world.images), driver, batches=way == "batches")
    seed = int(np.random.default_rng([repeat, world.cell.seed]).integers(2**31))
    study = searched(STUDIES[effort], trainer, workers, seed)
    return {
        **dict(zip(KEY, (effort, way, count, str(world.cell), repeat), strict=True)),
        "trials": len(study.finished),
        "images": round(sum(trial.user_attrs.get(COST, 0.0) for trial in study.finished), 1),
        "makespan": round(workers.clock, 2),
        "work": round(workers.work, 2),
        "efficiency": round(workers.work / (count * workers.clock), 4),
        "heads_regret": round(100 * (world.best - study.test(STUDIES[effort].heads + 1)), 3),
        "regret": round(100 * (world.best - study.test(len(study.finished))), 3),
    }
