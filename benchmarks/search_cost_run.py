"""One way of `search_cost.py` in this process: the list of trials, frostline's way of running it, the CSV rows."""

import argparse
import gc
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.config.types import GUIDE
from frostline.data.packed import PackedImages, read_packed
from frostline.records.train_record import TrainRecord
from frostline.runtime.devices import distribute
from frostline.runtime.progress import say
from frostline.search.estimate import estimate_study
from frostline.search.study import seed_at
from frostline.training.cell import make_cell
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import SCORE, Trainer
from machine import machine
from plain import Bench, Clock, Job, Reached
from plain import search as plain_search
from search_cost_tables import COLD, KEY, MACHINE, WARM, epochs_file, identity, read

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
WORK = Path(".cache/search_cost")
NEVER = 10**6


def run(way: str, folder: Path, options: argparse.Namespace) -> None:
    """Run what is left of one cell's list."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    record = TrainRecord.read(folder)
    packed = read_packed(Path("data/packed") / f"{record.dataset}-{record.backbone}")
    if packed.fingerprint != record.fingerprints.data:
        raise SystemExit(f"{folder} was trained on other images than data/packed holds now: dvc repro.")
    allowed = load_config()
    train = {
        "patience": NEVER,
        "epochs": min(allowed.train.epochs, options.epochs),
        "head_epochs": min(allowed.train.head_epochs, options.epochs) if options.two_phase else 0,
    }
    config = allowed.model_copy(update={"train": allowed.train.model_copy(update=train)})
    work = WORK / options.output.stem / record.name
    bench = Bench(config, record.backbone, make_trainer(record, packed, allowed, TimedCache(work / "cache", config)))
    rows = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    jobs = list(listed(rows, bench.trainer, config.seed, options.epochs))
    if options.quick:
        thaws = (0, 1, bench.trainer.backbone.depth)
        nearest_jobs = [nearest(jobs, bench.trainer, thaw, options.epochs) for thaw in thaws]
        jobs = [replace(job, trial=trial) for trial, job in enumerate(nearest_jobs, start=1)]
    results = Results(options.output, {"way": way} | identity(record, options))
    left = [job for job in jobs if not results.has(job)]
    say(f"{way}, {record.name}: {len(left)} of {len(jobs)} trials to run.")
    if not left:
        return
    if way == COLD:
        left = jobs  # what an interrupted run has cached would pass for free
        shutil.rmtree(work / "cache", ignore_errors=True)
    if way == WARM and not (work / "cache").exists():
        raise SystemExit(f"{work / 'cache'} is gone: remove the rows of {COLD} from {options.output}.")
    if way in (COLD, WARM):
        cache, clock = TimedCache(work / "cache", config), Clock()
        trainer = make_trainer(record, packed, config, cache)
        fill(trainer, config, jobs, cache)
        results.write(0, "setup", clock, [], cache.seconds)
        search(trainer, left, cache, results)
        return
    kind, precision = way.split("-")
    if kind == "plain":
        plain_search(bench, left, POLICIES[precision], results.record)
    else:
        from tuner import search as tuner_search

        tuner_search(bench, left, POLICIES[precision], work, results.record)


def make_trainer(record: TrainRecord, packed: PackedImages, config: Config, cache: Any) -> Trainer:
    """As the stage `train` makes it."""
    import keras

    keras.utils.set_random_seed(config.seed)
    cell = make_cell(packed, record.per_class, config.train, config.seed)
    distribute()
    return Trainer(Setup(cell, record.backbone, config.backbone(record.backbone), config.train, cache, config.seed))


def fill(trainer: Trainer, config: Config, jobs: Sequence[Job], cache: "TimedCache") -> None:
    """As the stage `train` fills the cache, which knows the guide's trials alone before it starts."""
    first = [job.settings for job in jobs[: len(GUIDE)]]
    estimate = estimate_study(trainer, config.search, first, cache.folder.path, cache.limit_bytes)
    estimate.report(len(jobs))
    trainer.setup.fill(config.search.views, estimate.cuts)


def search(trainer: Trainer, jobs: Sequence[Job], cache: "TimedCache", results: "Results") -> None:
    """What a study does with each trial, without a pruner."""
    for job in jobs:
        clock, before = Clock(), cache.seconds
        reached = validate(trainer, job, clock)
        results.record(job, clock, reached, extraction_seconds=cache.seconds - before)
        gc.collect()


def validate(trainer: Trainer, job: Job, clock: Clock) -> Reached:
    """Train one trial as frostline does: of each epoch, when its score over all folds was known, and the score."""
    watcher = Watcher(clock)
    history = trainer.validate(job.settings, job.seed, watcher).history
    return [(seconds, metrics[SCORE]) for seconds, metrics in zip(watcher.seconds, history, strict=True)]


class Watcher:
    """Notes when each epoch's score was known; see `frostline.training.trial.Watcher`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds: list[float] = []

    def epoch(self, _: int, __: dict[str, float]) -> None:
        self.seconds.append(self._clock.seconds)

    def fold(self, history: list[dict[str, float]], _: int, __: NDArray[np.float32]) -> None:
        self.seconds = [self._clock.seconds] * len(history)


class TimedCache:
    """A prefix cache that adds up how long its answers took: next to nothing where they are there already."""

    def __init__(self, folder: Path, config: Config) -> None:
        self._cache = PrefixCache(folder, int(config.stores.cache_gigabytes * 1e9))
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._cache, name)
        return partial(self._timed, value) if callable(value) else value

    def _timed(self, method: Any, *arguments: Any, **options: Any) -> Any:
        clock = Clock()
        try:
            return method(*arguments, **options)
        finally:
            self.seconds += clock.seconds


def listed(rows: Sequence[dict[str, Any]], trainer: Trainer, seed: int, most: int) -> Iterator[Job]:
    """The trials of `study.json` that did not fail, for so many epochs at most."""
    for row in rows:
        if row["state"] != "failed":
            settings = TrialSettings(**{field.name: row[field.name] for field in fields(TrialSettings)})
            allowed = trainer.epochs(settings.keep, settings.thaw)
            seed_of_trial = seed_at(seed, row["position"] - 1)
            yield Job(row["position"], kind_of(settings), settings, min(allowed, most), allowed, seed_of_trial)


def kind_of(settings: TrialSettings) -> str:
    if settings.thaw in (0, settings.keep):
        return "all" if settings.thaw else "head"
    return "last-block" if settings.thaw == 1 else "partial"


def nearest(jobs: Sequence[Job], trainer: Trainer, thaw: int, most: int) -> Job:
    """A trial that keeps every block and trains the last `thaw`: as the list has it, else made of the nearest one."""
    depth = trainer.backbone.depth

    def distance(job: Job) -> tuple[int, int, bool]:
        return abs(job.settings.thaw - thaw), depth - job.settings.keep, job.settings.init == "random"

    job = min(jobs, key=distance)
    settings = replace(job.settings, keep=depth, thaw=thaw, init="pretrained")
    allowed = trainer.epochs(depth, thaw)
    return replace(job, settings=settings, kind=kind_of(settings), epochs=min(allowed, most), allowed=allowed)


class Results:
    """The two CSV files, of trials and of epochs, and what every row of this process has in common."""

    def __init__(self, output: Path, common: dict[str, object]) -> None:
        self._output, self._common, self._machine = output, common, machine()
        rows = read(output)
        for name in MACHINE:
            if set(rows[name]) - {self._machine[name]}:
                raise SystemExit(f"{output} was measured on another machine ({name}): give another --output.")
        self._finished = set(rows[KEY].itertuples(index=False, name=None))

    def has(self, job: Job) -> bool:
        row = self._common | {"trial": job.trial, "kind": job.kind}
        return tuple(row[name] for name in KEY) in self._finished

    def record(self, job: Job, clock: Clock, reached: Reached, extraction_seconds: float = 0.0) -> None:
        """Write and say how a trial went that `clock` was started for and that has just ended."""
        self.write(job.trial, job.kind, clock, reached, extraction_seconds, job.allowed)
        say(
            f"{self._common['way']}, trial {job.trial} ({job.kind}): {reached[-1][0]:.1f} s, "
            f"balanced accuracy {reached[-1][1]:.3f} after {len(reached)} epochs"
        )

    def write(
        self, trial: int, kind: str, clock: Clock, reached: Reached, extraction_seconds: float, allowed: int = 0
    ) -> None:
        measured = {
            "epochs": len(reached),
            "allowed_epochs": allowed,
            "seconds": clock.seconds,
            "cpu_seconds": clock.cpu_seconds,
            "seconds_per_epoch": clock.seconds / len(reached) if reached else None,
            "extraction_seconds": extraction_seconds,
            "last_score": reached[-1][1] if reached else None,
            "best_score": max(score for _, score in reached) if reached else None,
        }
        key = self._common | {"trial": trial, "kind": kind}
        epochs = [key | {"epoch": n, "seconds": when, "score": score} for n, (when, score) in enumerate(reached, 1)]
        append(epochs, epochs_file(self._output))
        append([key | measured | self._machine], self._output)


def append(rows: list[dict[str, object]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if rows:
        pd.DataFrame(rows).round(4).to_csv(path, mode="a", header=not path.exists(), index=False)
