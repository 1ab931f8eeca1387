"""Two workers of one thread against one of two: the stage `train`, whole, from an empty cache, in turn."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pandas as pd
import yaml

from frostline.config.load import load_config
from frostline.records.train_record import TrainRecord
from frostline.runtime.progress import say
from frostline.search.study import list_studies
from frostline.search.trials import COST, finished_trials

from ..measuring import finished, machine, record
from ..project import DATASET, SIZE, enter_smallest
from ..training import BACKBONE

FILE = "cluster-threads.csv"
KEY = ["round", "size", "way"]
BASE = "one worker of two threads"
WAYS = {
    "two workers of one thread": {"engine": "ray", "workers": 2, "cpus": 1},
    BASE: {"engine": "ray", "workers": 1, "cpus": 2},
    "this process": {"engine": "local"},
}
STAGES = ("prepare", "preprocess", "profile")
ELSEWHERE = ("MLFLOW_TRACKING_URI", "RAY_ADDRESS")
"""What would lead to other stores, or to another cluster."""
PARAMETERS, STORES, LOG = Path("params.yaml"), Path("stores"), Path("train.log")


def measure(options: argparse.Namespace) -> pd.DataFrame:
    """Run what the file has not yet, in a project of its own: all ways in turn, then all of them again."""
    file, before, facts = options.output / FILE, Path.cwd(), machine()
    sizes = [SIZE] if options.smallest else options.sizes
    left = [
        key
        for key in ((number, size, way) for number in range(options.rounds) for size in sizes for way in options.ways)
        if key not in finished(file, KEY)
    ]
    if left:
        dataset = enter_project(options)
        parameters = yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))
        for key in left:
            row = dict(zip(KEY, key, strict=True)) | trained(parameters, dataset, key[1], WAYS[key[2]])
            record(row | facts, file)
        os.chdir(before)
    return pd.read_csv(file)


def enter_project(options: argparse.Namespace) -> str:
    """Make a project the working folder that has all that `train` reads, and give the name of its data set."""
    folder = options.work / "cluster-project"
    if options.smallest:
        enter_smallest(options.output / "project")
        for name in ("data", "results/profile"):
            shutil.copytree(name, folder / name, dirs_exist_ok=True)
        shutil.copy(PARAMETERS, folder)
        os.chdir(folder)
        return DATASET
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(PARAMETERS, folder)
    (dataset, *_) = load_config().datasets
    os.chdir(folder)
    say(f"Preparing {dataset} in {folder}.")
    for stage in STAGES:
        run(stage, dataset, *([] if stage == "prepare" else [BACKBONE]))
    return dataset


def trained(parameters: dict, dataset: str, size: str, compute: dict) -> dict[str, object]:
    """What the stage took, with every store empty before, and what the study in it did."""
    shutil.rmtree(STORES, ignore_errors=True)
    stores = {name: f"sqlite:///{STORES / name}.db" for name in ("tracking", "studies")} | {"cache": f"{STORES}/cache"}
    changed = parameters | {
        "compute": parameters["compute"] | compute,
        "stores": parameters["stores"] | stores,
    }
    PARAMETERS.write_text(yaml.safe_dump(changed), encoding="utf-8")
    started = time.perf_counter()
    run("train", dataset, size, BACKBONE)
    seconds = time.perf_counter() - started
    (name,) = list_studies(stores["studies"])
    study = optuna.load_study(study_name=name, storage=stores["studies"])
    trials, winner = finished_trials(study), TrainRecord.read(Path("models") / f"{dataset}-{size}-{BACKBONE}")
    begun, ended = min(each.datetime_start for each in trials), max(each.datetime_complete for each in trials)
    return {
        "seconds": round(seconds, 1),
        "trials_seconds": round((ended - begun).total_seconds(), 1),
        "trials": len(trials),
        "images": round(sum(trial.user_attrs.get(COST, 0.0) for trial in trials), 1),
        "validation": round(winner.validation.balanced_accuracy, 4),
    }


def run(*command: str) -> None:
    """Run a stage as a person does. Its log is the benchmark's where it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    call = [sys.executable, "-m", "frostline", *command]
    with LOG.open("w", encoding="utf-8") as log:
        ended = subprocess.run(call, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        raise SystemExit(f"frostline {' '.join(command)} failed:\n{LOG.read_text(encoding='utf-8')}")
