"""Other ways to train thawed blocks: each trains, and does something else than frostline does."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.curves.listing import settings
from benchmarks.curves.variants import BASE, VARIANTS

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.training.cell import make_cell
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

IMAGES, EPOCHS = 16, 2
THAWED = settings((5,), 2, "identity", rate=1e-3)


@pytest.fixture(scope="module")
def features(packed_cells, tmp_path_factory):
    """`features(variant)`: what images become after two epochs of three thawed blocks, and where these began."""
    cache = PrefixCache(tmp_path_factory.mktemp("cache"), 10**9)
    train = load_config(Path(__file__).parents[2] / "params.yaml").train.model_copy(
        update={"precision": "float32", "batch_size": 8}
    )
    cell = make_cell(packed_cells(32, IMAGES), IMAGES // 2, train, seed=20)

    def of(variant: str) -> tuple[np.ndarray, list[float]]:
        with VARIANTS[variant]():
            trainer = Trainer(Setup(cell, "vgg16", BackboneConfig(image_size=32), train, cache, seed=20))
            epochs = trainer._train_epochs(THAWED, cell.all_rows, 20, 0)
            suffix, inputs, _ = [next(epochs) for _ in range(EPOCHS)][-1]
            moved = [
                float(np.abs(mine - before).max())
                for mine, before in zip(
                    suffix._backbone.network.get_weights(), trainer.backbone.network.get_weights(), strict=True
                )
            ]
            return suffix.probabilities(inputs, cell.all_rows, 1), moved

    return of


@pytest.fixture(scope="module")
def base(features):
    return features(BASE)


def test_what_is_trained_in_the_same_way_ends_the_same(features, base):
    """So that what differs below differs by the variant."""
    np.testing.assert_allclose(features(BASE)[0], base[0], atol=1e-5)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != BASE])
def test_it_trains_in_another_way(features, base, variant):
    probabilities, moved = features(variant)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert np.abs(probabilities - base[0]).max() > 1e-4
    assert any(distance > 0 for distance in moved)


def test_early_blocks_alone_leave_the_last_as_it_was(features, base):
    _, moved = features("early")
    last = slice(-6, None)  # kernels and biases of the fifth block's three convolutions
    assert max(moved[last]) == 0 < max(base[1][last])
    assert max(moved) > 0


def test_lower_rates_move_earlier_blocks_less(features, base):
    """Half as far one block before the last, a quarter as far two before."""
    _, moved = features("layerwise")
    third, fourth = slice(8, 14), slice(14, 20)
    assert max(moved[third]) < max(base[1][third]) / 2
    assert max(moved[fourth]) < max(base[1][fourth])
