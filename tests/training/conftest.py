"""A small cell of real solar cells, and trainers on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig, TrainConfig
from frostline.training.cell import Cell, make_cell
from frostline.training.setup import Setup
from frostline.training.trial import Trainer


@pytest.fixture
def train_config() -> TrainConfig:
    """The committed values in float32, where parity is exact, and few epochs."""
    committed = load_config(Path(__file__).parents[2] / "params.yaml").train
    return committed.model_copy(update={"precision": "float32", "epochs": 3, "batch_size": 8, "folds": 3})


class Watching:
    """A watcher that lets everything go on and remembers what it was told."""

    def __init__(self) -> None:
        self.epochs: list[tuple[list[dict[str, float]], np.ndarray, bool]] = []
        self.folds: list[tuple[list[dict[str, float]], np.ndarray]] = []

    def epoch(self, history: list[dict[str, float]], certainty: np.ndarray, *, settled: bool) -> bool:
        self.epochs.append((list(history), certainty, settled))
        return True

    def fold(self, history: list[dict[str, float]], certainty: np.ndarray) -> bool:
        self.folds.append((list(history), certainty))
        return True


@pytest.fixture
def watcher() -> Watching:
    return Watching()


@pytest.fixture
def cell(packed_cells, train_config: TrainConfig) -> Cell:
    """Twenty-four cells at 32 pixels, in three draws of three folds."""
    return make_cell(packed_cells(32), 12, train_config, seed=20)


@pytest.fixture
def make_trainer(packed_cells, train_config: TrainConfig, tmp_path: Path) -> Callable[..., Trainer]:
    """`make_trainer()`: of VGG16 at 32 pixels on that cell; options change the data, or the values of training.

    All trainers of a test share one folder of cached activations.
    """

    def make(packed=None, name="vgg16", weights="imagenet", **options: object) -> Trainer:
        packed = packed or packed_cells(32)
        config = train_config.model_copy(update=options)
        cell = make_cell(packed, 12, config, seed=20)
        backbone = BackboneConfig(weights=weights, image_size=packed.image_size)
        return Trainer(Setup(cell, name, backbone, config, PrefixCache(tmp_path / "cache", 10**9), seed=20))

    return make


@pytest.fixture
def trainer(make_trainer: Callable[..., Trainer]) -> Trainer:
    return make_trainer()
