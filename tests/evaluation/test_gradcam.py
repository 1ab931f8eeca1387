"""The closed form is the gradient that Grad-CAM asks for, and it points at what decides."""

import keras
import numpy as np
import pytest

from frostline.backbones.readout import add_head, read_out
from frostline.backbones.surgery import build_backbone
from frostline.backbones.viewed import average_over_views
from frostline.config.schema import BackboneConfig
from frostline.evaluation.gradcam import gradcam

tensorflow = pytest.importorskip("tensorflow")


IMAGES = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
CLASSES = np.array([0, 1, 2, 1])


def network(pooling: str, blocks: int = 1, views: tuple[str, ...] = ("identity",)) -> keras.Model:
    """Of two blocks of equally many channels, as trials make them: the head reads the last one, or both."""
    keras.utils.set_random_seed(3)
    inputs = images = keras.Input((16, 16, 3))
    first = keras.layers.Conv2D(5, 3, strides=2, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    maps = [first, keras.layers.Conv2D(5, 3, activation="relu")(first)]
    vector = read_out(maps[-blocks:], pooling)
    if len(views) > 1:
        images = keras.Input((16, 16, 3))
        vector = average_over_views(images, views, keras.Model(inputs, vector, name="features"))
    output, normalisation = add_head(vector, 3, dropout=0.5, seed=1)
    rng = np.random.default_rng(2)
    normalisation.moving_variance.assign(rng.uniform(0.1, 2, normalisation.moving_variance.shape))
    return keras.Model(images, output)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the gradient is taken with TensorFlow's tape")
@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("pooling", ["average", "maximum", "both"])
def test_the_closed_form_is_the_mean_gradient_of_the_score(pooling, blocks):
    model = network(pooling, blocks)
    first, last = (layer.output for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    head = model.get_layer("head")
    images = tensorflow.cast(IMAGES, "float32")
    earlier, maps = keras.Model(model.inputs, [first, last])(images)
    rest = keras.Model([first, last], head.input) if blocks == 2 else keras.Model(last, head.input)
    with tensorflow.GradientTape() as tape:
        tape.watch(maps)
        logits = rest([earlier, maps] if blocks == 2 else maps) @ head.kernel + head.bias
        score = tensorflow.reduce_sum(tensorflow.gather(logits, CLASSES, batch_dims=1))
    weights = tape.gradient(score, maps).numpy().mean(axis=(1, 2))
    expected = np.maximum(np.einsum("nhwc,nc->nhw", maps.numpy(), weights), 0)
    assert expected.any()
    np.testing.assert_allclose(gradcam(model, IMAGES, CLASSES), expected, atol=1e-5)


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("pooling", ["average", "maximum", "both"])
def test_a_network_over_several_views_shows_the_heat_of_the_picture_as_it_is(pooling, blocks, tmp_path):
    alone, viewed = (network(pooling, blocks, views) for views in (("identity",), ("identity", "mirror", "crop-1")))
    viewed.set_weights(alone.get_weights())
    viewed.save(tmp_path / "viewed.keras")
    again = keras.saving.load_model(tmp_path / "viewed.keras", compile=False)
    expected = gradcam(alone, IMAGES, CLASSES)
    assert expected.any()
    for each in (viewed, again):
        np.testing.assert_allclose(gradcam(each, IMAGES, CLASSES), expected, rtol=1e-5, atol=1e-6)


def test_heat_lies_where_the_evidence_is():
    inputs = keras.Input((16, 16, 3))
    maps = keras.layers.AveragePooling2D(4)(keras.layers.Rescaling(1 / 255)(inputs))
    output, _ = add_head(read_out([maps], "average"), 2, seed=1)
    model = keras.Model(inputs, output)
    model.get_layer("head").set_weights([np.array([[-1.0, 1.0]] * 3), np.zeros(2)])
    images = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    images[0, 4:8, 8:12] = 255
    heat = gradcam(model, images, np.array([1]))
    assert heat.shape == (1, 4, 4)
    assert np.unravel_index(heat[0].argmax(), (4, 4)) == (1, 2)
    assert np.count_nonzero(heat) == 1
    assert np.count_nonzero(gradcam(model, images, np.array([0]))) == 0


def test_a_network_of_before_features_were_compressed_has_the_heat_of_its_own_head():
    inputs = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(5, 3, strides=2, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    normalisation = keras.layers.BatchNormalization(name="feature_normalisation", center=False, scale=False)
    features = normalisation(read_out([maps], "average"))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="head")(features))
    normalisation.moving_variance.assign(np.arange(1, 6))
    slopes = np.asarray(model.get_layer("head").kernel) / np.sqrt(np.arange(1, 6) + normalisation.epsilon)[:, None]
    found = keras.Model(inputs, maps).predict(IMAGES, verbose=0)
    expected = np.maximum(np.einsum("nhwc,nc->nhw", found, slopes[:, CLASSES].T / 49), 0)
    assert expected.any()
    np.testing.assert_allclose(gradcam(model, IMAGES, CLASSES), expected, atol=1e-5)


def test_networks_inside_a_backbone_are_no_views() -> None:
    """ConvNeXt's stem is one."""
    backbone = build_backbone("convnext_tiny", BackboneConfig(weights=None, image_size=32), seed=1)
    assert any(isinstance(layer, keras.Model) for layer in backbone.slice(0, 2).layers)
    taps = backbone.taps(0, (2,))
    output, _ = add_head(read_out(taps.outputs, "both"), 3)
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    assert gradcam(keras.Model(taps.inputs, output), images, np.array([0, 2])).shape == (2, 8, 8)
