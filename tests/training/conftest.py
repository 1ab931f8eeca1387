"""A small cell of real solar cells."""

from pathlib import Path

import numpy as np
import pytest

from frostline.config.load import load_config
from frostline.config.schema import TrainConfig
from frostline.training.cell import Cell, make_cell


@pytest.fixture
def train_config() -> TrainConfig:
    """The committed values in float32, where parity is exact, and few epochs."""
    committed = load_config(Path(__file__).parents[2] / "params.yaml").train
    few = {"precision": "float32", "epochs": 3, "head_epochs": 2, "batch_size": 8, "budget": 1e9, "folds": 3}
    return committed.model_copy(update=few)


class Watching:
    """A watcher that lets everything go on and remembers what it was told."""

    def __init__(self) -> None:
        self.epochs: list[tuple[int, dict[str, float]]] = []
        self.folds: list[tuple[int, int, np.ndarray]] = []

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        self.epochs.append((epoch, metrics))

    def fold(self, history: list[dict[str, float]], first: int, certainties: np.ndarray) -> None:
        self.folds.append((len(history), first, certainties))


@pytest.fixture
def watcher() -> Watching:
    return Watching()


@pytest.fixture
def cell(packed_cells, train_config: TrainConfig) -> Cell:
    """Twenty-four cells at 48 pixels, in three folds."""
    return make_cell(packed_cells(48), 12, train_config, seed=20)
