"""The smallest project that has all that a project has: what `--smallest` gives to benchmarks of a finished one."""

import os
import shutil
from pathlib import Path

import yaml

from frostline.commands import promote
from frostline.config.load import load_config
from frostline.config.schema import Config, FolderConfig
from frostline.stages import evaluate, prepare, preprocess, profile, register, train

from .training import BACKBONE, Few, changed, least, stored_in

DATASET, SIZE = "cells", "small"


def enter_smallest(folder: Path) -> None:
    """Make `folder` the working folder: a project with one trained cell and a champion, made unless it is there."""
    config = changed(stored_in(least(load_config()), Path("stores")), "promotion", floors={})
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if Path("results/registered").exists():
        return
    profile_few(config.model_copy(update={"sizes": {SIZE: 8}}))
    train.run(DATASET, SIZE, BACKBONE)
    evaluate.run(DATASET, SIZE, BACKBONE)
    register.run(DATASET)
    promote.run(DATASET, "the first", dry_run=False)


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
    prepare.run(DATASET)
    preprocess.run(DATASET, BACKBONE)
    profile.run(DATASET, BACKBONE)
    return config


def write_params(config: Config) -> None:
    """Let `config` be what the project in the working folder asks for."""
    Path("params.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")), encoding="utf-8")
