"""What a head reads of feature maps, and the layers of the head."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.backbones.readout import EPSILON, POOLED, add_head, compress, pool, read_out, select_pooling, slope
from frostline.backbones.surgery import build_backbone
from frostline.backbones.weights import digest
from frostline.config.schema import BackboneConfig

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


@given(st.floats(-1e6, 1e6))
def test_compressed_features_are_odd_and_double_by_the_logarithm_of_two(feature):
    found, opposite, double = compress(np.array([feature, -feature, 2 * feature]))
    assert opposite == -found
    if abs(feature) >= 100:
        assert abs(double) - abs(found) == pytest.approx(np.log(2), rel=1e-3)
    if abs(feature) <= 0.01:
        assert found == pytest.approx(feature, rel=1e-3)


@given(st.floats(-1e4, 1e4))
def test_the_slope_is_the_derivative_and_one_at_most(feature):
    step = 1e-4 * max(0.1, abs(feature))
    lower, upper = compress(np.array([feature - step, feature + step]))
    (found,) = slope(np.array([feature]))
    assert found == pytest.approx((upper - lower) / (2 * step), rel=1e-4)
    assert 0 < found <= 1


def test_a_head_compresses_features_and_gives_what_it_compressed():
    model, normalisation = head_on([(10,)], "both")
    vectors = np.random.default_rng(3).normal(0, 100, (6, 10)).astype("float32")
    inner = keras.Model(model.inputs, [model.get_layer(POOLED).output, normalisation.output])
    pooled, normalised = inner.predict_on_batch(vectors)
    np.testing.assert_array_equal(pooled, vectors)
    np.testing.assert_allclose(normalised, np.arcsinh(vectors) / np.sqrt(1 + EPSILON), rtol=1e-5)
