import random

import keras
import numpy as np
import pytest

from frostline.backbones.readout import pool, select_pooling
from frostline.backbones.surgery import build_backbone
from frostline.config.schema import BackboneConfig
from frostline.errors import BackboneError

CONFIG = BackboneConfig(weights=None, image_size=32)


def test_the_seed_decides_initial_weights_and_global_state_is_left_alone():
    state = random.getstate()
    policy = keras.config.dtype_policy().name
    first, second, other = (
        build_backbone("vgg16", CONFIG, seed=seed, precision="mixed_bfloat16") for seed in (1, 1, 2)
    )
    assert random.getstate() == state
    assert keras.config.dtype_policy().name == policy
    assert first.weights == second.weights
    assert first.weights != other.weights


def test_random_ignores_the_weights_of_the_configuration():
    config = BackboneConfig(weights="nowhere.h5", image_size=32)
    backbone = build_backbone("vgg16", config, seed=1, random=True)
    assert backbone.weights == build_backbone("vgg16", CONFIG, seed=1).weights
    assert backbone.weights.source == "random"


def test_pooled_is_the_pooled_map_of_the_block():
    backbone = build_backbone("vgg16", CONFIG, seed=1)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    maps = backbone.slice(0, 3).predict_on_batch(images)
    np.testing.assert_allclose(backbone.pooled(3, images), pool(maps), rtol=1e-5)
    assert backbone.pooled(3, images).shape == (3, 2 * backbone.output_shape(3)[-1])


def test_taps_give_the_maps_after_each_block_and_their_width_is_known():
    backbone = build_backbone("vgg16", CONFIG, seed=1)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    start = backbone.slice(0, 1).predict_on_batch(images)
    found = backbone.taps(1, (2, 4, 5)).predict_on_batch(start)
    for block, maps in zip((2, 4, 5), found, strict=True):
        np.testing.assert_allclose(maps, backbone.slice(0, block).predict_on_batch(images), rtol=1e-5)
        for pooling in ("average", "maximum", "both"):
            width = select_pooling(np.asarray(pool(maps)), pooling).shape[1]
            assert backbone.width(block, pooling) == width


@pytest.mark.parametrize(("start", "blocks", "stop"), [(2, (1, 5), 1), (0, (3, 6), 6), (-1, (3,), 3)])
def test_impossible_taps_are_refused(start, blocks, stop):
    backbone = build_backbone("vgg16", CONFIG, seed=1)
    with pytest.raises(BackboneError, match=rf"<= 5, but got start={start}, stop={stop}"):
        backbone.taps(start, blocks)
