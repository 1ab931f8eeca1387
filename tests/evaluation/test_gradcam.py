"""The closed form is the gradient that Grad-CAM asks for, and it points at what decides."""

import keras
import numpy as np
import pytest

from frostline.backbones.surgery import add_head, read_out
from frostline.evaluation.gradcam import gradcam

tensorflow = pytest.importorskip("tensorflow")


def network(pooling: str) -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(5, 3, strides=2, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    output, normalisation = add_head(read_out([maps], pooling), 3, dropout=0.5, seed=1)
    rng = np.random.default_rng(2)
    normalisation.moving_variance.assign(rng.uniform(0.1, 2, normalisation.moving_variance.shape))
    return keras.Model(inputs, output)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the gradient is taken with TensorFlow's tape")
@pytest.mark.parametrize("pooling", ["average", "maximum", "both"])
def test_the_closed_form_is_the_mean_gradient_of_the_score(pooling):
    model = network(pooling)
    images = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    classes = np.array([0, 1, 2, 1])
    conv = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    head = model.get_layer("head")
    scored = keras.Model(model.inputs, [conv.output, head.input])
    with tensorflow.GradientTape() as tape:
        maps, vectors = scored(tensorflow.cast(images, "float32"))
        tape.watch(maps)
        again = keras.Model(conv.output, head.input)(maps)
        logits = again @ head.kernel + head.bias
        score = tensorflow.reduce_sum(tensorflow.gather(logits, classes, batch_dims=1))
    assert vectors.shape == again.shape
    weights = tape.gradient(score, maps).numpy().mean(axis=(1, 2))
    expected = np.maximum(np.einsum("nhwc,nc->nhw", maps.numpy(), weights), 0)
    np.testing.assert_allclose(gradcam(model, images, classes), expected, atol=1e-5)


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
