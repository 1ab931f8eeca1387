"""A small cell of real solar cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frostline.config import TrainConfig
from frostline.data.images import load_square
from frostline.data.packed import PackedImages
from frostline.params import load_config
from frostline.training.cell import Cell, make_cell


@pytest.fixture
def train_config() -> TrainConfig:
    """The committed values in float32, where parity is exact, and few epochs."""
    committed = load_config(Path(__file__).parents[2] / "params.yaml").train
    return committed.model_copy(update={"precision": "float32", "epochs": 3, "batch_size": 8, "budget": 1e9})


@pytest.fixture(scope="session")
def packed_cells(solar_cells: list[Path]):
    """`packed_cells(size, count)`: the first `count` cells at `size` pixels, in two classes by brightness."""

    def pack(size: int, count: int = 24) -> PackedImages:
        files = solar_cells[:count]
        images = np.stack([load_square(file, size, "stretch", min_side=16, max_pixels=10**6) for file in files])
        brightness = images.mean(axis=(1, 2, 3))
        labels = (brightness > np.median(brightness)).astype(np.int64)
        names = [file.name for file in files]
        index = pd.DataFrame(
            {
                "image": names,
                "label": np.array(["dark", "light"])[labels],
                "split": "train",
                "group": names,
                "sha256": names,
            }
        )
        return PackedImages(images, labels, index, ("dark", "light"), size, "stretch", f"{size}-{count}")

    return pack


@pytest.fixture
def cell(packed_cells, train_config: TrainConfig) -> Cell:
    """Twenty-four cells at 48 pixels, in three folds."""
    return make_cell(packed_cells(48), 12, train_config, seed=20)
