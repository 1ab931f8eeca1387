"""Backbones with BatchNorm carry their own reference: what they learned from lies near it, other things do not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from frostline.backbones.catalogue import BackboneSpec
from frostline.backbones.surgery import Backbone, build_backbone
from frostline.backbones.weights import WeightsRecord
from frostline.config.schema import BackboneConfig, ProfileConfig
from frostline.data.images import load_square
from frostline.regimes.activations import Activations, batchnorms, measure
from frostline.regimes.cells import CellImages, measure_distance, profile_cell
from frostline.regimes.comparison import Comparison
from frostline.regimes.guide import classify_similarity
from frostline.regimes.reference import channel_moments, find_reference
from frostline.regimes.shift import Shift, measure_shift

SIZE = 48
UP_TO = ProfileConfig().similar_up_to.batchnorm


@pytest.fixture(scope="module")
def cells(solar_cells: list[Path]) -> Callable[[int, int], NDArray[np.uint8]]:
    """`cells(count, size)`: solar cells, evenly spaced over the set."""

    def take(count: int, size: int) -> NDArray[np.uint8]:
        chosen = solar_cells[:: len(solar_cells) // count][:count]
        return np.stack([load_square(cell, size, "stretch", min_side=1, max_pixels=10**8) for cell in chosen])

    return take


def shift_of(backbone: Backbone, activations: Activations) -> Shift:
    reference = find_reference(backbone)
    assert reference.source == "BatchNorm's moving statistics in the weights"
    return measure_shift(activations, reference, seed=1)


@pytest.fixture(scope="module")
def trained(crops) -> Backbone:
    """Four convolutions with BatchNorm, trained to tell crops of two photographs' left halves apart."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for filters in (16, 24, 32, 48):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.MaxPooling2D()(layers.Activation("relu")(x))
    network = keras.Model(inputs, x)
    output = layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    whole = keras.Model(inputs, output)
    whole.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    images, labels = crops("left", 160, SIZE)
    history = whole.fit(images, labels, batch_size=32, epochs=6, verbose=0)
    assert history.history["accuracy"][-1] > 0.9
    spec = BackboneSpec("small", "Small", SIZE, SIZE, "inside")
    return Backbone(spec, network, WeightsRecord("trained here", "0" * 64), "float32")


def test_a_small_network_tells_what_it_was_trained_on_from_what_it_was_not(trained, crops, cells) -> None:
    same = shift_of(trained, measure(trained, crops("right", 40, SIZE)[0])).score
    other = shift_of(trained, measure(trained, cells(60, SIZE))).score
    assert classify_similarity(same, UP_TO) == "similar"
    assert classify_similarity(other, UP_TO) == "different"


def trained_at(native_size: int, backbone: Backbone) -> Backbone:
    """The same, as if it had been trained at that size."""
    return Backbone(replace(backbone.spec, native_size=native_size), backbone.network, backbone.weights, "float32")


@pytest.mark.parametrize(("native_size", "verdict"), [(SIZE, "different"), (120, "different"), (121, "unclear")])
def test_far_below_the_native_size_a_large_shift_may_be_the_sizes(
    trained, crops, cells, native_size: int, verdict: str
) -> None:
    backbone = trained_at(native_size, trained)
    comparison = Comparison(backbone, backbone, find_reference(backbone))
    groups = [str(number) for number in range(40)]
    found = {
        name: measure_distance(comparison, measure(backbone, images), groups, ProfileConfig(), 1).similarity
        for name, images in (("same", crops("right", 20, SIZE)[0]), ("other", cells(40, SIZE)))
    }
    assert found == {"same": "similar", "other": verdict}


def test_what_the_size_leaves_unclear_is_said(trained, cells) -> None:
    backbone = trained_at(121, trained)
    comparison = Comparison(backbone, backbone, find_reference(backbone))
    measured = measure(backbone, cells(40, SIZE))
    groups = [str(number) for number in range(40)]
    distance = measure_distance(comparison, measured, groups, ProfileConfig(), 1)
    images = CellImages(np.zeros(40, np.int64), groups, [40])
    cell = profile_cell(comparison, distance, measured, images, ProfileConfig(), 1)
    assert cell.regime == "small-unclear"
    assert "less than two fifths of that which the weights were trained at" in cell.reason


def test_each_layer_is_measured_where_its_statistics_were_taken(trained, crops) -> None:
    """Moving averages of training batches are near the moments over the same images, if the place is the right one."""
    reference = find_reference(trained)
    means, variances = channel_moments(measure(trained, crops("left", 160, SIZE)[0]))
    for mean, variance, moving_mean, moving_variance in zip(
        means, variances, reference.means, reference.variances, strict=True
    ):
        assert np.median(np.abs(mean - moving_mean) / np.sqrt(variance)) < 0.15
        assert 0.7 < np.median(moving_variance / variance) < 1.4


@pytest.mark.parametrize(("name", "size"), [("resnet50", 64), ("inceptionv3", 75)])
def test_large_networks_with_weights_from_a_path_take_the_same_way(name, size, tmp_path: Path, crops, cells) -> None:
    """Random kernels, with BatchNorm statistics taken from photographs, saved to a file and read from it.

    Such kernels have learned nothing that could push other pictures away in the later layers, so that the order counts
    and not the threshold.
    """
    config = BackboneConfig(weights=None, image_size=size)
    made = build_backbone(name, config, seed=5)
    _adapt(made, crops("left", 16, size)[0])
    made.network.save_weights(tmp_path / "adapted.weights.h5")
    backbone = build_backbone(name, BackboneConfig(weights=str(tmp_path / "adapted.weights.h5"), image_size=size))
    both = measure(backbone, np.concatenate([crops("right", 16, size)[0], cells(32, size)]))
    near, far = (shift_of(backbone, both.of(part)).score for part in np.arange(64).reshape(2, 32))
    assert near.high < far.low


def _adapt(backbone: Backbone, images: NDArray[np.uint8]) -> None:
    """Replace BatchNorm's statistics by those of `images`: one pass in training mode that forgets what was there."""
    for layer in batchnorms(backbone):
        layer.momentum = 0.0
    backbone.network(images.astype(np.float32), training=True)
