import keras
import pytest

from frostline.backbones.cost import flops


def test_flops_by_hand():
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, padding="same"),
            keras.layers.DepthwiseConv2D(3, strides=2, padding="same"),
            keras.layers.SeparableConv2D(6, 3),
            keras.layers.Conv2D(6, 1, groups=2),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )
    convolution = 8 * 8 * 3 * 3 * 3 * 4
    depthwise = 4 * 4 * 3 * 3 * 4
    separable = 2 * 2 * (3 * 3 * 4 + 4 * 6)
    grouped = 2 * 2 * 6 * 3
    dense = 2 * 2 * 6 * 5
    assert flops(network) == 2 * (convolution + depthwise + separable + grouped + dense)


def test_nested_models_count():
    inner = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 1)])
    outer = keras.Sequential([keras.Input((4, 4, 3)), inner])
    assert flops(outer) == flops(inner) == 2 * 16 * 3 * 2


@pytest.mark.parametrize(("constructor", "size", "billions"), [("VGG16", 224, 30.7), ("ResNet50", 224, 7.7)])
def test_published_figures(constructor, size, billions):
    network = getattr(keras.applications, constructor)(weights=None, include_top=False, input_shape=(size, size, 3))
    assert flops(network) / 1e9 == pytest.approx(billions, rel=0.01)
