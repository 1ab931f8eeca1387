import random

import keras
import numpy as np
import pytest

from frostline.backbones.readout import add_head, pool, read_out, select_pooling
from frostline.backbones.surgery import build_backbone
from frostline.backbones.weights import digest
from frostline.config.schema import BackboneConfig
from frostline.errors import BackboneError

CONFIG = BackboneConfig(weights=None, image_size=32)
MAPS = np.random.default_rng(0).normal(size=(8, 3, 3, 5)).astype("float32")


def head_on(shapes, pooling):
    inputs = [keras.Input(shape) for shape in shapes]
    output, normalisation = add_head(read_out(inputs, pooling), 4, dropout=0.5, seed=3)
    return keras.Model(inputs, output), normalisation


def test_pool_is_the_average_then_the_maximum():
    expected = np.concatenate([MAPS.mean(axis=(1, 2)), MAPS.max(axis=(1, 2))], axis=1)
    np.testing.assert_allclose(pool(MAPS), expected, rtol=1e-5, atol=1e-6)


def test_select_pooling():
    vector = np.arange(8).reshape(2, 4)
    assert select_pooling(vector, "average").tolist() == [[0, 1], [4, 5]]
    assert select_pooling(vector, "maximum").tolist() == [[2, 3], [6, 7]]
    assert select_pooling(vector, "both").tolist() == vector.tolist()


@pytest.mark.parametrize("pooling", ["average", "maximum", "both"])
def test_a_head_on_pooled_vectors_equals_one_on_maps(pooling):
    maps = [MAPS, -2 * MAPS[:, :2, :, :3]]
    vectors = [np.asarray(pool(each)) for each in maps]
    selected = np.concatenate([select_pooling(each, pooling) for each in vectors], axis=1)
    np.testing.assert_allclose(read_out(vectors, pooling), selected)
    on_maps, first = head_on([(3, 3, 5), (2, 3, 3)], pooling)
    on_vectors, second = head_on([(10,), (6,)], pooling)
    for normalisation in (first, second):
        normalisation.moving_mean.assign(selected.mean(axis=0))
        normalisation.moving_variance.assign(selected.var(axis=0))
    probabilities = on_maps.predict_on_batch(maps)
    np.testing.assert_allclose(on_vectors.predict_on_batch(vectors), probabilities, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert digest(on_maps) == digest(on_vectors)


def test_the_head_is_float32_under_any_policy_and_learns_only_its_dense_layer():
    backbone = build_backbone("vgg16", CONFIG, precision="mixed_bfloat16", seed=1)
    output, normalisation = add_head(read_out([backbone.network.output], "both"), 2, seed=1)
    model = keras.Model(backbone.network.inputs, output)
    backbone.freeze(5, 5)
    assert (backbone.compute_dtype, output.dtype) == ("bfloat16", "float32")
    assert [weight.path for weight in model.trainable_weights] == ["head/kernel", "head/bias"]
    model.compile("sgd", "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    model.fit(images, np.array([0, 1, 0, 1]), verbose=0)
    np.testing.assert_array_equal(normalisation.moving_mean, np.zeros(1024))


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
