"""One forward pass gives just what separate ones would."""

from pathlib import Path

import numpy as np
import pytest

from frostline.backbones.surgery import Backbone, build_backbone
from frostline.config.schema import BackboneConfig
from frostline.data.images import load_square
from frostline.regimes.activations import Activations, batchnorms, measure, measured_layers

NAMES = ["vgg16", "resnet50", "inceptionv3", "efficientnetb0", "convnexttiny", "mobilenetv2", "densenet121"]
SIZE = 64
COUNT = 37  # not a multiple of the batch


@pytest.fixture(scope="module")
def images(solar_cells: list[Path]) -> np.ndarray:
    chosen = solar_cells[:COUNT]
    return np.stack([load_square(cell, SIZE, "stretch", min_side=1, max_pixels=10**8) for cell in chosen])


def vgg16(precision: str = "float32") -> Backbone:
    return build_backbone("vgg16", BackboneConfig(weights=None, image_size=SIZE), seed=1, precision=precision)


@pytest.fixture(scope="module")
def measured(images: np.ndarray) -> tuple[Backbone, Activations]:
    backbone = vgg16()
    return backbone, measure(backbone, images)


@pytest.mark.parametrize("name", NAMES)
def test_every_backbone_has_layers_to_compare_in_the_order_of_its_blocks(name: str) -> None:
    backbone = build_backbone(name, BackboneConfig(weights=None, image_size=96), seed=1)
    layers = measured_layers(backbone)
    blocks = [layer.block for layer in layers]
    assert blocks == sorted(blocks)
    assert 1 <= blocks[0] <= blocks[-1] <= backbone.depth
    assert len({layer.name for layer in layers}) == len(layers)
    if found := batchnorms(backbone):
        channels = [int(layer.moving_mean.shape[0]) for layer in found]
        assert [layer.tensor.shape[-1] for layer in layers] == channels


def test_names_do_not_depend_on_what_was_built_before() -> None:
    config = BackboneConfig(weights=None, image_size=96)
    first, second = (measured_layers(build_backbone("inceptionv3", config, seed=1)) for _ in range(2))
    assert [layer.name for layer in first] == [layer.name for layer in second]


def test_moments_are_those_of_the_feature_maps(measured: tuple[Backbone, Activations], images: np.ndarray) -> None:
    import keras

    backbone, found = measured
    for position in (0, 7, 12):
        layer = measured_layers(backbone)[position]
        maps = keras.Model(backbone.network.inputs, layer.tensor).predict(images, verbose=0).astype(np.float64)
        np.testing.assert_allclose(found.means[position], maps.mean(axis=(1, 2)), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.squares[position], (maps**2).mean(axis=(1, 2)), rtol=1e-3, atol=1e-4)


def test_pooled_features_are_those_of_each_block(measured: tuple[Backbone, Activations], images: np.ndarray) -> None:
    backbone, found = measured
    assert len(found.pooled) == backbone.depth
    for block, values in enumerate(found.pooled, start=1):
        np.testing.assert_allclose(values, backbone.pooled(block, images), rtol=1e-3, atol=1e-4)


def test_positions_select_images(measured: tuple[Backbone, Activations], images: np.ndarray) -> None:
    backbone, found = measured
    some = np.array([3, 36, 8])
    alone = measure(backbone, images[some])
    np.testing.assert_allclose(alone.means[5], found.of(some).means[5], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(alone.pooled[4], found.of(some).pooled[4], rtol=1e-4, atol=1e-5)


def test_half_precision_changes_moments_by_rounding_alone(
    measured: tuple[Backbone, Activations], images: np.ndarray
) -> None:
    half = measure(vgg16("mixed_bfloat16"), images)
    for exact, rounded in zip(measured[1].means, half.means, strict=True):
        assert rounded.dtype == np.float32
        np.testing.assert_allclose(rounded, exact, rtol=0.05, atol=0.02 * float(np.abs(exact).max()))
