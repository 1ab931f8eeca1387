"""The smallest project that has all that a project has: what `--smallest` gives to benchmarks of a finished one."""

import os
import shutil
from pathlib import Path

import yaml

from frostline.backbones.weights import digest
from frostline.commands import promote
from frostline.config.load import load_config
from frostline.config.schema import Config, FolderConfig
from frostline.records.train_record import TrainRecord
from frostline.registry.models import name_of, register_challenger
from frostline.registry.package import Candidate
from frostline.stages import evaluate, prepare, preprocess, profile, register, train
from frostline.tracking.runs import Tracker

from .training import BACKBONE, Few, changed, least, stored_in

DATASET, SIZE = "cells", "small"


def enter_smallest(folder: Path) -> None:
    """Make `folder` the working folder: a project with one trained cell and a champion, made unless it is there."""
    config = least(load_config()).model_copy(update={"sizes": {SIZE: 8}})
    if enter(folder):
        profile_few(of_its_own(config))
        crown(DATASET)


def enter_solar_cells(folder: Path, config: Config) -> None:
    """Make `folder` the working folder: a project of all solar cells as `config` has it, with a champion of its one
    size, made unless it is there.
    """
    config = of_its_own(config)
    (dataset,) = config.datasets
    if enter(folder):
        write_params(config)
        profile_all(dataset)
        crown(dataset)


def enter(folder: Path) -> bool:
    """Make `folder` the working folder, and say whether it has no champion yet."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    return not Path("results/registered").exists()


def of_its_own(config: Config) -> Config:
    """`config` with stores in the working folder, and without floors for a champion."""
    return changed(stored_in(config, Path("stores")), "promotion", floors={})


def crown(dataset: str) -> None:
    """Train the one cell of the project in the working folder, and make the model champion."""
    (size,) = load_config().sizes
    train.run(dataset, size, BACKBONE)
    evaluate.run(dataset, size, BACKBONE)
    register.run(dataset)
    promote.run(dataset, "the first", dry_run=False)


def register_another(tracker: Tracker) -> str:
    """Register the trained network with other weights in its head, and give the number of that version."""
    import keras

    config = load_config()
    trained = Path("models") / f"{DATASET}-{SIZE}-{BACKBONE}"
    record, other = TrainRecord.read(trained), Path("models/another")
    shutil.copytree(trained, other, dirs_exist_ok=True)
    network = keras.saving.load_model(other / "model.keras", compile=False)
    kernel, *others = network.layers[-1].get_weights()
    network.layers[-1].set_weights([-kernel, *others])
    network.save(other / "model.keras")
    prints = record.fingerprints.model_copy(update={"model": digest(network)})
    record = record.model_copy(update={"fingerprints": prints})
    return register_challenger(tracker, Candidate(record, other, config.prepare, config.serving)).version


def make_champion(tracker: Tracker, number: str) -> None:
    """Make that version the champion, whatever it is worth."""
    tracker.client.set_registered_model_alias(name_of(DATASET), "champion", number)


def profile_few(config: Config) -> Config:
    """Make the working folder a project of a few solar cells, run all stages before `train`, and give its params.yaml.

    That is `config` but for the data set.
    """
    cells = Few.find(0.5)
    for record in cells.records():
        Path("pictures", record.label).mkdir(parents=True, exist_ok=True)
        shutil.copy(cells.root / record.image, Path("pictures", record.label))
    pictures = FolderConfig(source="folder", path=Path("pictures"))
    config = config.model_copy(update={"datasets": {DATASET: pictures}})
    write_params(config)
    profile_all(DATASET)
    return config


def profile_all(dataset: str) -> None:
    """Run all stages before `train` in the working folder."""
    prepare.run(dataset)
    preprocess.run(dataset, BACKBONE)
    profile.run(dataset, BACKBONE)


def write_params(config: Config) -> None:
    """Let `config` be what the project in the working folder asks for."""
    Path("params.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")), encoding="utf-8")
