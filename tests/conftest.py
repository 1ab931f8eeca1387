"""What tests of several packages need: an order, real pictures, and a train record."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from frostline.config.schema import PrepareConfig
from frostline.data.images import load_square
from frostline.data.packed import PackedImages
from frostline.data.sources.elpv import ElpvSource

LONGEST = ("test_pipeline.py", "test_backends.py", "test_parity.py", "test_gate.py", "test_advise.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process is left alone with one of them at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def solar_cells() -> list[Path]:
    """Files of the 2,624 solar cells, by name."""
    return sorted((ElpvSource.find(0.5).root / "images").glob("*.png"))


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


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development images beside the repository, which is not part of it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: development images lie outside the repository")
    return folder


@pytest.fixture
def prepare_config() -> PrepareConfig:
    """The committed values, but for a pixel limit that small files can exceed."""
    return PrepareConfig(
        test_fraction=0.25, min_side=16, max_pixels=1_000_000, min_images_per_class=10, near_duplicate_bits=2
    )


@pytest.fixture(scope="session")
def record_fields() -> dict[str, Any]:
    """What train.json holds."""
    return {
        "dataset": "solar_cells",
        "size": "small",
        "per_class": 50,
        "images": 100,
        "backbone": "vgg16",
        "image_size": 96,
        "resize": "stretch",
        "classes": ["defective", "functional"],
        "levels": {"integers": None, "floats": [0.0, 1.0]},
        "best": {
            "trial": 3,
            "strategy": "start_of_convnet",
            "init": "pretrained",
            "keep": 4,
            "thaw": 0,
            "freeze_depth": 4,
            "head_learning_rate": 0.003,
            "backbone_learning_rate": 0.00005,
            "weight_decay": 0.001,
            "dropout": 0.3,
            "pooling": "both",
            "views": "mirror",
            "epochs": 12,
            "temperature": 1.25,
        },
        "guide": {
            "regime": "small-different",
            "recommended": ["start_of_convnet"],
            "strategy": "start_of_convnet",
            "trial": 1,
            "validation": 0.78,
        },
        "validation": {"balanced_accuracy": 0.8, "scheme": "5-fold"},
        "trials": {"complete": 9, "pruned": 2, "failed": 1},
        "seconds": 61.5,
        "run_id": "0" * 32,
        "experiment_id": "1",
        "study_name": "solar_cells-small-vgg16-aaaaaaaa",
        "fingerprints": {"data": "d", "weights": "w", "study": "s", "model": "m"},
    }
