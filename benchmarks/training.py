"""What benchmarks train, on what, and how: VGG16 on solar cells or noise, with settings that they list themselves."""

import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import optuna
import pandas as pd
from numpy.lib.format import open_memmap
from optuna.trial import FrozenTrial

from frostline.cache.prefix import PrefixCache
from frostline.compute.local import InProcess
from frostline.config.effort import Effort
from frostline.config.schema import BackboneConfig, Config, SearchConfig
from frostline.config.types import StrategyName
from frostline.data.manifest import build
from frostline.data.packed import Form, PackedImages, read_packed, write_packed
from frostline.data.sources import Reading, open_source
from frostline.data.sources.elpv import ElpvSource
from frostline.search.flights import run_study
from frostline.search.objective import Objective
from frostline.search.schedule import Schedule
from frostline.search.space import standard_head, standard_rates
from frostline.search.study import open_study
from frostline.tracking.runs import Tracker
from frostline.tracking.studies import StudyRuns
from frostline.training.cell import make_cell
from frostline.training.metrics import Metrics, best_epoch
from frostline.training.settings import TrialSettings, guide_depth
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

BACKBONE = "vgg16"
ROWS_AT_ONCE = 1024


class Few(ElpvSource):
    """One solar cell in forty."""

    def read(self) -> Reading:
        return Reading(super().read().records[::40])


def standard(search: SearchConfig, keep: int, thaw: int = 0, **others: Any) -> TrialSettings:
    """The head that people take first on `keep` blocks, of which the last `thaw` are trained at standard rates."""
    values = standard_head(keep, search).model_dump() | {"freeze_depth": keep - thaw}
    values |= standard_rates(search, thaw) if thaw else {}
    values |= {"test_views": search.test_views_of(others["views"])} if "views" in others else {}
    return TrialSettings.model_validate(values | others)


def guide_settings(strategy: StrategyName, search: SearchConfig, depth: int) -> TrialSettings:
    """What a study first tries a strategy of the guide with, where no probe has said where to cut."""
    init, keep, freeze_depth = guide_depth(strategy, depth)
    return standard(search, keep, keep - freeze_depth, init=init)


def epochs_needed(trainer: Trainer, settings: TrialSettings, seed: int) -> int:
    """For how many epochs a study would train: until the first fold's validation loss is lowest; none of a head."""
    if settings.thaw == 0:
        return 0
    watcher = FirstFold()
    with suppress(Enough):
        watcher.history = list(trainer.validate(settings, seed, watcher).history)
    return best_epoch(watcher.history)


def changed(config: Config, section: str, **values: object) -> Config:
    """`config` with other values in one section."""
    return config.model_copy(update={section: getattr(config, section).model_copy(update=values)})


def least(config: Config) -> Config:
    """`config` for what `--smallest` asks: few images of 32 pixels, few trials, few epochs."""
    config = changed(config, "train", epochs=2, patience=2, folds_up_to=0)
    effort = Effort(heads=2, thawed=1, images=1000)
    config = changed(changed(config, "search", effort=effort, views=("identity",)), "profile", folds=2)
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


def make_trainer(
    config: Config, packed: PackedImages, per_class: int, cache: Any = None, kind: type[Trainer] = Trainer
) -> Trainer:
    """As the stage `train` makes it, but for the memo, for the only backbone of `config`."""
    ((backbone, options),) = config.backbones.items()
    cell = make_cell(packed, per_class, config.train, config.seed)
    return kind(Setup(cell, backbone, options, config.train, cache or PrefixCache.of(config.stores), config.seed))


@contextmanager
def listed_study(
    trainer: Trainer,
    config: Config,
    tracker: Tracker,
    name: str,
    trials: Sequence[TrialSettings],
) -> Iterator[optuna.Study]:
    """A study of just these trials, validated by a hold-out, all of them to their end, once it has run."""
    schedule = Listed.of(trials, trainer, config.search)
    with (
        open_study(config.stores.studies, name) as study,
        StudyRuns.open(tracker, name, name, {}) as runs,
    ):
        objective = Objective(trainer, schedule, runs, config.seed)
        run_study(study, objective, schedule, InProcess(trainer), config.seed)
        yield study


@dataclass(frozen=True)
class Listed(Schedule):
    """A schedule of `listed` trials in their order, with a budget that lets each train for `train.epochs`."""

    listed: tuple[TrialSettings, ...] = ()

    @classmethod
    def of(cls, trials: Sequence[TrialSettings], trainer: Trainer, search: SearchConfig) -> Self:
        thawed = [settings for settings in trials if settings.thaw]
        images = trainer.setup.train.epochs * sum(trainer.cost(settings, 0) for settings in thawed)
        effort = Effort(heads=max(1, len(trials) - len(thawed)), thawed=len(thawed), images=images)
        return cls(search.model_copy(update={"effort": effort}), trainer.backbone.depth, None, listed=tuple(trials))

    @property
    def trials(self) -> int:
        return len(self.listed)

    def is_head(self, number: int) -> bool:
        return self.listed[number - 1].thaw == 0

    def follows(self, _: int) -> int:
        return 0

    def is_ensemble(self, _: int) -> bool:
        return False

    def is_over(self, number: int, _: Sequence[FrozenTrial]) -> bool:
        return number > self.trials

    def point(self, _: int, __: Sequence[FrozenTrial], ___: int) -> dict[str, Any]:
        return {}

    def suggest(self, _: optuna.Trial, number: int, __: Sequence[FrozenTrial]) -> TrialSettings:
        return self.listed[number - 1]

    def left(self, _: Sequence[FrozenTrial]) -> float:
        return math.inf

    @property
    def depths(self) -> list[tuple[int, int, bool]]:
        return [(each.keep, each.freeze_depth, each.init == "random") for each in self.listed if each.thaw]


class Unwatched:
    """A watcher that lets every trial go on."""

    def epoch(self, *_: Any, **__: Any) -> bool:
        return True

    def fold(self, *_: Any) -> bool:
        return True


class Enough(Exception):
    """What was to be seen has been seen."""


class FirstFold(Unwatched):
    """Ends a trial after the first fold, and keeps its history."""

    history: Sequence[Metrics] = ()

    def fold(self, history: Sequence[Metrics], _: Any) -> bool:
        self.history = list(history)
        raise Enough


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
