"""A whole study of one cell, as the stages `profile` and `train` do it, in stores of its own that are then thrown away.

And the tasks that such studies are judged on: a cell to learn, and test images that nothing else sees.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from frostline.backbones.surgery import Backbone, build_backbone
from frostline.config.effort import EFFORTS, Effort
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.config.schema import Config as Parameters
from frostline.config.types import ViewSet
from frostline.data.arrays import Rows
from frostline.data.packed import PackedImages
from frostline.data.splits import cell_rows
from frostline.records.profile import CellProfile
from frostline.records.train_record import TrainRecord
from frostline.regimes.cells import profile_cells
from frostline.regimes.comparison import prepare_comparison
from frostline.runtime.precision import resolve_precision
from frostline.search.driver import train_cell
from frostline.search.plan import CellInputs

from .curves.cells import CellKey, DataSet
from .measuring import Option
from .sets import DOGS_CATS
from .training import BACKBONE, changed, least, pack, stored_in

Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""Gives class probabilities [N, K] of images [N, S, S, 3] in 0..255."""

VIEWS: Mapping[str, tuple[ViewSet, ...]] = {
    "digits": ("identity",),
    "solar_cells": ("identity", "crops", "flips"),
    "dogs_cats": ("identity", "crops"),
    "animals_things": ("identity", "crops"),
}
"""What a person who knows the pictures puts into params.yaml."""

DATA = {
    "dogs_cats": DOGS_CATS,
    "imagenet_sample": Option(kind=Path, help="a folder of ImageNet pictures, named by their WordNet numbers"),
    "sets": Option(["digits", "solar_cells", "dogs_cats", "animals_things"], help="of these, those that are at hand"),
    "digits": Option(1797, smallest=60, help="so many of scikit-learn's"),
}
"""The options by which `curves.cells.data_sets` finds pictures."""


@dataclass(frozen=True, eq=False)
class Task:
    """A cell to learn, `rows` of `packed`, and the `test` rows, class after class, all of the test split.

    `config` is params.yaml for this data set, image size and seed; `efforts` are what its words stand for.
    """

    key: CellKey
    config: Parameters
    packed: PackedImages
    rows: Rows
    test: Rows
    efforts: Mapping[str, Effort]

    @classmethod
    def of(cls, key: CellKey, data: DataSet, options: argparse.Namespace) -> Self:
        config, efforts = load_config(), EFFORTS
        if options.smallest:
            config = least(config)
            efforts = dict.fromkeys(EFFORTS, config.search.effort)
        config = changed(config, "search", views=VIEWS[key.dataset])
        if not data.duplicates:
            config = changed(config, "prepare", near_duplicate_bits=None)
        backbone = BackboneConfig(image_size=options.image_size, weights=None if options.smallest else "imagenet")
        config = config.model_copy(
            update={"seed": key.seed, "datasets": {key.dataset: data.source}, "backbones": {BACKBONE: backbone}}
        )
        packed = pack(config, key.dataset, options.work, few=False)
        rows = np.sort(cell_rows(packed.index, key.per_class, key.seed))
        test = np.flatnonzero(packed.index["split"] == "test")
        test = test[np.argsort(packed.labels[test], kind="stable")]
        return cls(key, config, packed, rows, test, efforts)

    @property
    def classes(self) -> int:
        return len(self.packed.classes)

    @property
    def test_labels(self) -> NDArray[np.int64]:
        return self.packed.labels[self.test]

    def images(self, rows: Rows) -> NDArray[np.uint8]:
        return np.asarray(self.packed.images[rows])

    def backbone(self) -> Backbone:
        """The pretrained network in the precision that frostline takes on this machine."""
        precision = resolve_precision(self.config.train.precision)
        return build_backbone(BACKBONE, self.config.backbone(BACKBONE), precision=precision, seed=self.key.seed)

    def right(self, predict: Predict) -> NDArray[np.bool_]:
        """Which of the test images are named rightly."""
        return np.asarray(predict(self.images(self.test)).argmax(axis=1) == self.test_labels)


@dataclass(frozen=True, eq=False)
class Study:
    """What a study leaves: its record, and the networks of the winner and of the guide's best, which may be the same.

    `guide` is None where none of the guide's trials was completed.
    """

    record: TrainRecord
    winner: Predict
    guide: Predict | None


def whole_study(task: Task, effort: str) -> Study:
    """Profile the cell, search it and refit its winner, with nothing cached before."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = stored_in(changed(task.config, "search", effort=task.efforts[effort]), folder)
        size = str(task.key.per_class)
        profile = _profile(task, size)
        inputs = CellInputs(task.key.dataset, size, BACKBONE, task.key.per_class, task.packed, profile)
        train_cell(inputs, config, folder / "model")
        record = TrainRecord.read(folder / "model")
        files = dict.fromkeys(["model.keras", record.guide_model or "model.keras"])
        networks = {file: _loaded(folder / "model" / file) for file in files}
    return Study(record, networks["model.keras"], networks[record.guide_model] if record.guide_model else None)


def balanced_accuracy(right: NDArray[np.bool_], labels: NDArray[np.int64]) -> float:
    """Of answers of which those `right` [N] were, to images of classes `labels` [N]."""
    return float(np.mean([right[labels == name].mean() for name in np.unique(labels)]))


def _loaded(file: Path) -> Predict:
    return partial(keras.saving.load_model(file, compile=False).predict, verbose=0)


def _profile(task: Task, size: str) -> CellProfile:
    """As the stage `profile` finds it."""
    config = task.config
    options = config.backbone(BACKBONE)
    comparison = prepare_comparison(BACKBONE, options, task.backbone(), task.packed.training_sides())
    cells = profile_cells(comparison, task.packed, {size: task.key.per_class}, config.profile, config.seed)
    return cells[size]
