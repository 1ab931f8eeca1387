"""One way in this process: the list of trials, frostline's way of running it, the CSV rows."""

import argparse
import gc
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import keras

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.data.packed import read_packed
from frostline.records.train_record import TrainRecord
from frostline.runtime.devices import distribute
from frostline.runtime.progress import say
from frostline.search.estimate import estimate_study
from frostline.search.flights import seed_of
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer

from ..measuring import Timed, append, machine
from ..training import Listed, Unwatched, changed, make_trainer, standard
from .plain import Bench, Clock, Job, Reached, scores
from .plain import search as plain_search
from .tables import COLD, WARM, epochs_file, identity

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
HEAD_EPOCHS = 30
"""Of heads in Keras, where frostline's are computed."""


def run_list(way: str, folder: Path, options: argparse.Namespace) -> None:
    """Run one cell's list."""
    record = TrainRecord.read(folder)
    packed = read_packed(Path("data/packed") / f"{record.dataset}-{record.backbone}")
    if packed.fingerprint != record.fingerprints.data:
        raise SystemExit(f"{folder} was trained on other images than data/packed holds now: dvc repro.")
    work = options.work / options.file.stem / record.name
    if way == COLD:
        shutil.rmtree(work / "cache", ignore_errors=True)
    config = load_config().for_dataset(record.dataset)
    backbones = {record.backbone: config.backbone(record.backbone)}
    config = changed(config, "stores", cache=work / "cache").model_copy(update={"backbones": backbones})
    keras.utils.set_random_seed(config.seed)
    distribute()
    bench = Bench(config, record.backbone, make_trainer(config, packed, record.per_class))
    jobs = [
        Job(trial, settings, min(most, options.epochs), most, seed_of(config.seed, trial))
        for trial, settings, most in (quick(bench) if options.quick else listed(folder))
    ]
    results = Results(options.file, {"way": way} | identity(record, options.epochs))
    say(f"{way}, {record.name}: {len(jobs)} trials to run.")
    if way in (COLD, WARM):
        clock, cache = Clock(), Timed(PrefixCache.of(config.stores))
        trainer = make_trainer(config, packed, record.per_class, cache)
        fill(trainer, config, jobs, cache)
        results.write({"trial": 0, "kind": "setup"}, 0, clock, [], cache.seconds)
        search(Bench(config, record.backbone, trainer), jobs, cache, results)
        return
    kind, precision = way.split("-")
    if kind == "plain":
        plain_search(bench, jobs, POLICIES[precision], results.record)
    else:
        from .tuner import search as tuner_search

        tuner_search(bench, jobs, POLICIES[precision], work, results.record)


def listed(folder: Path) -> Iterator[tuple[int, TrialSettings, int]]:
    """The trials of `study.json` that did not fail: number, settings, and epochs."""
    for row in json.loads((folder / "study.json").read_text(encoding="utf-8")):
        if row["state"] != "failed":
            blocks = [int(block) for block in row["blocks"].split(",")]
            settings = TrialSettings.model_validate(
                {name: row[name] for name in TrialSettings.model_fields} | {"blocks": blocks}
            )
            yield row["trial"], settings, row["epochs"] if settings.thaw else HEAD_EPOCHS


def quick(bench: Bench) -> Iterator[tuple[int, TrialSettings, int]]:
    """A head, the last block thawed and every block trained, as a study tries them first."""
    depth = bench.trainer.backbone.depth
    for number, thaw in enumerate((0, 1, depth), start=1):
        yield number, standard(bench.config.search, depth, thaw), HEAD_EPOCHS


def fill(trainer: Trainer, config: Config, jobs: Sequence[Job], cache: Timed) -> None:
    """As the stage `train` fills the cache."""
    schedule = Listed.of([job.settings for job in jobs], trainer, config.search)
    estimate = estimate_study(trainer, schedule, cache.folder.path, cache.limit_bytes)
    estimate.report(schedule)
    trainer.setup.fill(config.search.views, estimate.cuts)


def search(bench: Bench, jobs: Sequence[Job], cache: Timed, results: "Results") -> None:
    """What a study does with each trial, to its last epoch in every fold."""
    trainer = bench.trainer
    for job in jobs:
        clock, before = Clock(), cache.seconds
        if job.settings.thaw:
            folds = [
                [
                    (clock.seconds, probabilities)
                    for _, probabilities in islice(trainer._fold(job.settings, number, job.seed), job.epochs)
                ]
                for number in range(len(bench.folds))
            ]
            reached = list(scores(bench, folds))
        else:
            score = trainer.validate(job.settings, job.seed, Unwatched()).score
            reached = [(clock.seconds, score)]
            job = replace(job, allowed=1)  # noqa: PLW2901  # it is computed at once, and never for more epochs
        results.record(job, clock, reached, extraction_seconds=cache.seconds - before)
        gc.collect()


class Results:
    """The two CSV files, of trials and of epochs, and what every row of this process has in common."""

    def __init__(self, output: Path, common: dict[str, object]) -> None:
        self._output, self._common, self._machine = output, common, machine()

    def record(self, job: Job, clock: Clock, reached: Reached, extraction_seconds: float = 0.0) -> None:
        """Write and say how a trial went that `clock` was started for and that has just ended."""
        self.write({"trial": job.trial, "kind": job.kind}, job.allowed, clock, reached, extraction_seconds)
        say(
            f"{self._common['way']}, trial {job.trial} ({job.kind}): {reached[-1][0]:.1f} s, "
            f"balanced accuracy {reached[-1][1]:.3f} after {len(reached)} epochs"
        )

    def write(
        self, what: dict[str, object], allowed: int, clock: Clock, reached: Reached, extraction_seconds: float
    ) -> None:
        scores = [score for _, score in reached]
        measured = {
            "epochs": len(reached),
            "allowed_epochs": allowed,
            "seconds": round(clock.seconds, 4),
            "cpu_seconds": round(clock.cpu_seconds, 4),
            "seconds_per_epoch": round(clock.seconds / len(reached), 4) if reached else None,
            "extraction_seconds": round(extraction_seconds, 4),
            "last_score": round(scores[-1], 4) if reached else None,
            "best_score": round(max(scores), 4) if reached else None,
        }
        key = self._common | what
        epochs = [
            {"epoch": n, "seconds": round(when, 4), "score": round(each, 4)}
            for n, (when, each) in enumerate(reached, 1)
        ]
        append([key | epoch for epoch in epochs], epochs_file(self._output))
        append([key | measured | self._machine], self._output)
