"""Presets of KerasHub become backbones like any other; one that cannot is one clear error."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from frostline.backbones.catalogue import find_backbone, resolve_image_size
from frostline.backbones.surgery import build_backbone
from frostline.config.schema import BackboneConfig
from frostline.errors import BackboneError, PackageError, WeightsError
from small_presets import mobilenet

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def test_without_kerashub_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(PackageError, match=r"cannot be imported .*pip install 'frostline\[presets\]'"):
        build_backbone("mine", BackboneConfig(preset="resnet_50_imagenet"))


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub", reason="KerasHub (extra: presets) is not installed")


@pytest.fixture(scope="module")
def saved(hub, tmp_path_factory):
    """`saved(name)`: the folder of a small preset with random weights, and its network."""
    folder = tmp_path_factory.mktemp("presets")
    made = {
        "resnet": lambda: hub.models.ResNetBackbone(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[7],
            stackwise_num_filters=[64, 64],
            stackwise_num_blocks=[2, 2],
            stackwise_num_strides=[1, 2],
            block_type="bottleneck_block",
        ),
        "mobilenet": lambda: mobilenet(hub),
        "csp": lambda: hub.models.CSPNetBackbone(  # which splits tensors
            stem_filters=8,
            stem_kernel_size=3,
            stem_strides=1,
            stackwise_depth=[1, 2],
            stackwise_strides=[1, 2],
            stackwise_num_filters=[16, 32],
            block_type="dark_block",
            stage_type="cs3",
            down_growth=True,
            block_ratio=[0.5],
        ),
        "vit": lambda: hub.models.ViTBackbone(
            image_shape=(32, 32, 3), patch_size=8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16
        ),
    }

    def save(name):
        network = made[name]()
        place = folder / name
        network.save_to_preset(str(place))
        kind = type(network).__name__.replace("Backbone", "ImageConverter")
        scaling = {"scale": list(1 / 255 / DEVIATION), "offset": list(-MEAN / DEVIATION)}
        getattr(hub.layers, kind)(image_size=(64, 64), **scaling).save_to_preset(str(place))
        return place, network

    return save


@pytest.mark.parametrize(("name", "depth"), [("resnet", 5), ("mobilenet", 3), ("csp", 5)])
def test_a_preset_is_cut_at_its_blocks_and_computes_what_kerashub_does(saved, name, depth, tmp_path):
    place, network = saved(name)
    config = BackboneConfig(preset=str(place))
    assert resolve_image_size("mine", config) == 64
    backbone = build_backbone("mine", config)
    assert backbone.depth == depth
    assert min(backbone.flops_per_block()) > 0
    assert backbone.weights.source == f"preset {place}"
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype("f4")
    expected = np.asarray(network(((images / 255 - MEAN) / DEVIATION).astype("f4"), training=False))
    np.testing.assert_allclose(backbone.network.predict_on_batch(images), expected, atol=1e-4)
    halves = backbone.slice(2, depth).predict_on_batch(backbone.slice(0, 2).predict_on_batch(images))
    np.testing.assert_allclose(halves, expected, atol=1e-4)
    again = build_backbone("mine", config.model_copy(update={"image_size": 48}), precision="mixed_bfloat16")
    assert again.compute_dtype == "bfloat16"
    assert again.weights.sha256 == backbone.weights.sha256
    random = build_backbone("mine", config, random=True, seed=1)
    assert random.weights == build_backbone("mine", config, random=True, seed=1).weights
    assert random.weights.sha256 != backbone.weights.sha256
    backbone.slice(0, 2).save(tmp_path / "part.keras")
    part = keras.saving.load_model(tmp_path / "part.keras", compile=False)
    np.testing.assert_array_equal(part.predict_on_batch(images), backbone.slice(0, 2).predict_on_batch(images))


def test_batchnorm_inside_a_block_stays_frozen(saved):
    place, _ = saved("mobilenet")
    backbone = build_backbone("mine", BackboneConfig(preset=str(place), image_size=32))
    backbone.freeze(backbone.depth, 0)
    names = {weight.path.rpartition("/")[2] for weight in backbone.network.trainable_weights}
    assert "kernel" in names
    assert not names & {"gamma", "beta"}
    backbone.freeze(backbone.depth, 0, train_batchnorm=True)
    assert "gamma" in {weight.path.rpartition("/")[2] for weight in backbone.network.trainable_weights}


def test_what_scales_pixels_is_part_of_what_a_backbone_is_known_by(saved):
    place, _ = saved("resnet")
    config = BackboneConfig(preset=str(place), image_size=32)
    before = find_backbone("mine", config).architecture
    assert find_backbone("mine", config).architecture == before
    file = place / "image_converter.json"
    converter = json.loads(file.read_text())
    converter["config"]["scale"] = 1 / 127.5
    file.write_text(json.dumps(converter))
    assert find_backbone("mine", config).architecture != before


def test_a_network_without_feature_maps_is_refused(saved):
    place, _ = saved("vit")
    with pytest.raises(BackboneError, match=r"is a ViTBackbone, which has no chain of blocks .*\(None, 17, 16\).*ViT"):
        build_backbone("mine", BackboneConfig(preset=str(place), image_size=32))


def test_a_preset_that_is_not_there_or_not_whole_is_one_clear_error(hub, saved, tmp_path):
    assert hub
    with pytest.raises(WeightsError, match=r"preset no_such_preset cannot be opened .*save_to_preset"):
        build_backbone("mine", BackboneConfig(preset="no_such_preset"))
    with pytest.raises(WeightsError, match=r"preset .* cannot be opened .*config\.json"):
        build_backbone("mine", BackboneConfig(preset=str(tmp_path)))
    place, _ = saved("resnet")
    (place / "image_converter.json").unlink()
    with pytest.raises(WeightsError, match=r"does not say how its pixels are scaled .*Add its image converter"):
        build_backbone("mine", BackboneConfig(preset=str(place), image_size=32))
    weights = Path(saved("resnet")[0]) / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="cannot be opened"):
        build_backbone("mine", BackboneConfig(preset=str(place), image_size=32))
