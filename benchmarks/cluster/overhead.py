"""What the driver needs for a trial: studies of trials that train nothing, on real actors, with real stores."""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import optuna
import pandas as pd
import ray

from frostline.compute.cluster import Cluster
from frostline.compute.connection import connected
from frostline.compute.pool import Pool
from frostline.config.compute import ComputeConfig
from frostline.config.effort import Effort
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.runtime.progress import say
from frostline.search.flights import Flight, run_study
from frostline.search.objective import Objective
from frostline.search.schedule import Schedule
from frostline.search.study import open_study
from frostline.search.trials import NUMBER
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker
from frostline.tracking.studies import StudyRuns
from frostline.training.cell import make_cell

from ..measuring import append, finished, machine
from ..training import changed, stored_in, write_noise
from .at_once import DEPTH, AtOnce, Idle
from .spent import Spent

FILE = "cluster-overhead.csv"
KEY = ["actors", "repeat"]
PARTS = ("ray", "mlflow", "optuna", "proposals", "rest")
LIGHT = {"KERAS_BACKEND": "numpy"}  # it is imported and not used, and TensorFlow would take twice the memory
NAME = "noise"


def measure(options: argparse.Namespace) -> pd.DataFrame:
    """Run the studies that the file has not yet: one for each number of actors, again and again."""
    file = options.output / FILE
    config, images = load_config(), options.images
    effort = Effort(heads=options.heads, thawed=options.trials - options.heads - 1, images=1e12)
    config = changed(config, "search", effort=effort)
    with TemporaryDirectory(dir=options.work) as temporary, connected(ComputeConfig(engine="ray")):
        folder = Path(temporary)
        packed = write_noise(folder / NAME, images, 4)
        trainer = AtOnce(make_cell(packed, images // 2, config.train, config.seed))
        for actors in options.actors:
            left = [each for each in range(options.repeats) if (actors, each) not in finished(file, KEY)]
            with idle_cluster(trainer, actors if left else 0) as cluster:
                for repeat in left:
                    say(f"{options.trials} trials that train nothing, on {actors} actors, for the {repeat + 1}. time.")
                    rows = study(stored_in(config, folder / f"{actors}-{repeat}"), trainer, cluster, options.trials)
                    append([{"actors": actors, "repeat": repeat} | row | machine() for row in rows], file)
    return pd.read_csv(file)


@contextmanager
def idle_cluster(trainer: AtOnce, size: int) -> Iterator[Cluster]:
    """So many actors, all of which have joined, on however few cores."""
    actor = ray.remote(Idle).options(num_cpus=0, max_restarts=0, runtime_env={"env_vars": LIGHT})
    sent = ray.put(trainer)
    pool = Pool(
        lambda: actor.remote(sent), lambda each: each.machine.remote(), lambda found: found[0], size=size, minutes=60
    )
    try:
        for number in range(size):
            pool.submit(number, lambda each: each.machine.remote())
        for _ in range(size):
            pool.wait()
        for number in range(size):
            pool.release(number)
        yield Cluster(trainer, pool, "")
    finally:
        pool.close()


def study(config: Config, trainer: AtOnce, cluster: Cluster, trials: int) -> list[dict[str, object]]:
    """Run one, and say of each tenth of its trials what they took."""
    spent = Spent()
    opened = Tracker.open(config.stores, NAME)
    tracker = replace(opened, client=spent.on("mlflow", opened.client))
    schedule = spent.on("proposals", Schedule(config.search, DEPTH, None))
    with (
        open_study(config.stores.studies, NAME) as found,
        StudyRuns.open(tracker, NAME, NAME, lineage_tags()) as runs,
    ):
        found._storage = spent.on("optuna", found._storage)
        objective = Marking(Objective(trainer, schedule, runs, config.seed), spent, max(1, trials // 10))
        run_study(found, objective, schedule, spent.on("ray", cluster), config.seed)
        objective.mark(trials + 1)
    return objective.rows()


class Marking:
    """Notes what was spent whenever a tenth of the trials has begun."""

    def __init__(self, objective: Objective, spent: Spent, each: int) -> None:
        self._objective, self._spent, self._each = objective, spent, each
        self._marks: list[dict[str, float]] = []

    def __call__(self, trial: optuna.Trial) -> Flight:
        number = trial.user_attrs[NUMBER]
        if number % self._each == 1 or self._each == 1:
            self.mark(number)
        return self._objective(trial)

    def mark(self, number: int) -> None:
        now = {"trial": number, "seconds": time.perf_counter(), "cpu_seconds": time.process_time()}
        self._marks.append(now | {part: self._spent.seconds[part] for part in PARTS})

    def rows(self) -> list[dict[str, object]]:
        """Of each tenth the seconds of its trials, in all, of this process, and by what was called."""
        rows: list[dict[str, object]] = []
        for before, after in pairwise(self._marks):
            passed = {name: after[name] - before[name] for name in after}
            passed["rest"] = passed["seconds"] - sum(passed[part] for part in PARTS if part != "rest")
            first = {"first_trial": int(before["trial"]), "trials": int(passed.pop("trial"))}
            rows.append(first | {name: round(value, 4) for name, value in passed.items()})
        return rows
