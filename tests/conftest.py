"""Real pictures for every test: the solar cells of the package elpv-dataset."""

from pathlib import Path

import pytest

from frostline.config import PrepareConfig
from frostline.data.sources.elpv import ElpvSource


@pytest.fixture(scope="session")
def solar_cells() -> list[Path]:
    """Files of the 2,624 solar cells, by name."""
    return sorted((ElpvSource.find(0.5).root / "images").glob("*.png"))


@pytest.fixture
def prepare_config() -> PrepareConfig:
    """The committed values, but for a pixel limit that small files can exceed."""
    return PrepareConfig(
        test_fraction=0.25, min_side=16, max_pixels=1_000_000, min_images_per_class=10, near_duplicate_bits=2
    )
