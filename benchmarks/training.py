"""What benchmarks train, on what, and how: VGG16 on solar cells or noise, with settings that they list themselves."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.lib.format import open_memmap

from frostline.cache.prefix import PrefixCache
from frostline.config.schema import BackboneConfig, Config
from frostline.data.manifest import build
from frostline.data.packed import Form, PackedImages, read_packed, write_packed
from frostline.data.sources import Reading, open_source
from frostline.data.sources.elpv import ElpvSource
from frostline.search.objective import Objective
from frostline.search.study import open_study, run_study
from frostline.tracking.runs import Tracker
from frostline.tracking.studies import StudyRuns
from frostline.training.cell import make_cell
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

BACKBONE = "vgg16"
ROWS_AT_ONCE = 1024


class Few(ElpvSource):
    """One solar cell in forty."""

    def read(self) -> Reading:
        return Reading(super().read().records[::40])


def at_depth(settings: TrialSettings, keep: int, thaw: int, **others: Any) -> TrialSettings:
    """`settings` with the first `keep` blocks, of which the last `thaw` are trained."""
    return settings.model_copy(update={"keep": keep, "freeze_depth": keep - thaw} | others)


def allowed_epochs(trainer: Trainer, settings: TrialSettings) -> int:
    return trainer.epochs(settings.keep, settings.freeze_depth)


def changed(config: Config, section: str, **values: object) -> Config:
    """`config` with other values in one section."""
    return config.model_copy(update={section: getattr(config, section).model_copy(update=values)})


def least(config: Config) -> Config:
    """`config` for what `--smallest` asks: few images of 32 pixels, few trials, few epochs."""
    config = changed(config, "train", epochs=2, patience=2, head_epochs=1, budget=10.0, folds_up_to=0)
    config = changed(changed(config, "search", trials=2, views=("identity",)), "profile", folds=2)
    backbone = config.backbone(BACKBONE).model_copy(update={"image_size": 32})
    return config.model_copy(update={"backbones": {BACKBONE: backbone}, "sizes": {"small": 4}})


def stored_in(config: Config, folder: Path) -> Config:
    """`config` with every store in `folder`, whatever MLFLOW_TRACKING_URI says."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    databases = {name: f"sqlite:///{folder / name}.db" for name in ("tracking", "studies")}
    return changed(config, "stores", **databases, cache=folder / "cache")


def on_noise(config: Config, folder: Path, size: int, **train: object) -> Config:
    """`config` for a hold-out of noise, a random VGG16 at `size` pixels, and every store in `folder`."""
    config = changed(stored_in(config, folder), "train", folds_up_to=0, **train)
    return config.model_copy(update={"backbones": {BACKBONE: BackboneConfig(weights=None, image_size=size)}})


def pack(config: Config, dataset: str, work: Path, *, few: bool) -> PackedImages:
    """The data set as `prepare` and `preprocess` make it under the config's seed, once; or of `Few` solar cells."""
    options, size = config.dataset(dataset), int(config.backbone(BACKBONE).image_size)
    folder = work / f"packed-{dataset}-{size}px-{config.seed}"
    if not folder.exists():
        source = Few.find(0.5) if few else open_source(options)
        manifest = build(source, options, config.prepare, config.seed).manifest
        write_packed(folder, manifest, source.root, Form(size, config.preprocess.resize), config.prepare)
    return read_packed(folder)


def cache_of(config: Config) -> PrefixCache:
    return PrefixCache(config.stores.cache, int(config.stores.cache_gigabytes * 1e9))


def make_trainer(
    config: Config, packed: PackedImages, per_class: int, cache: Any = None, kind: type[Trainer] = Trainer
) -> Trainer:
    """As the stage `train` makes it, but for the memo, for the only backbone of `config`."""
    ((backbone, options),) = config.backbones.items()
    cell = make_cell(packed, per_class, config.train, config.seed)
    return kind(Setup(cell, backbone, options, config.train, cache or cache_of(config), config.seed))


@contextmanager
def listed_study(
    trainer: Trainer,
    config: Config,
    tracker: Tracker,
    name: str,
    trials: Sequence[TrialSettings],
) -> Iterator[optuna.Study]:
    """A study of just these trials, all of them to their end, once it has run."""
    config = changed(config, "search", trials=len(trials))
    with (
        open_study(config.stores.studies, name, config.search, len(trainer.cell.folds)) as study,
        StudyRuns.open(tracker, name, name, len(trials), {}) as runs,
    ):
        study.pruner = Disobeyed(study.pruner)
        run_study(study, Objective(trainer, config.search, runs, config.seed), config.search, trials, config.seed)
        yield study


class Disobeyed(optuna.pruners.BasePruner):
    """Asks a pruner, which takes its time, and goes on: time must not depend on scores."""

    def __init__(self, pruner: optuna.pruners.BasePruner) -> None:
        self._pruner = pruner

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        self._pruner.prune(study, trial)
        return False


class Unwatched:
    """A watcher that lets every trial go on."""

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None: ...

    def fold(self, history: list[dict[str, float]], first: int, certainties: Any) -> None: ...


def write_noise(folder: Path, count: int, size: int) -> PackedImages:
    """A packed data set of so many images of noise in two classes, all for training, written a part at a time."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(count)
    images = open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=(count, size, size, 3))
    for start in range(0, count, ROWS_AT_ONCE):
        part = images[start : start + ROWS_AT_ONCE]
        part[:] = rng.integers(256, size=part.shape, dtype=np.uint8)
    images.flush()
    labels = np.arange(count) % 2
    np.save(folder / "labels.npy", labels)
    names = [f"{row:064x}" for row in range(count)]
    index = pd.DataFrame({"image": names, "label": labels, "split": "train", "group": names})
    index.assign(width=size, height=size, sha256=names).to_csv(folder / "index.csv", index=False)
    facts = {"classes": ["0", "1"], "image_size": size, "resize": "stretch", "levels": {}}
    facts |= {"fingerprint": f"noise {count} {size}"}
    (folder / "packed.json").write_text(json.dumps(facts))
    return read_packed(folder)
