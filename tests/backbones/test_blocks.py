import keras
import pytest
from keras import layers

from frostline.backbones.blocks import block_ends


def names(output, images):
    return [end.name for end in block_ends(keras.Model(images, output))]


@pytest.fixture
def images():
    return keras.Input((16, 16, 3))


def test_a_chain_ends_blocks_at_its_pools(images):
    x = layers.MaxPooling2D(name="pool1")(layers.Conv2D(4, 3, padding="same")(images))
    x = layers.Conv2D(4, 3, padding="same", name="last")(x)
    assert names(x, images) == ["pool1", "last"]


def test_a_chain_without_pools_ends_blocks_before_its_resolution_changes(images):
    x = layers.ReLU(name="relu1")(layers.Conv2D(4, 3, strides=2, padding="same")(images))
    x = layers.Conv2D(8, 3, strides=2)(layers.ZeroPadding2D(1)(x))
    x = layers.ReLU(name="relu2")(x)
    assert names(x, images) == ["relu1", "relu2"]


def test_a_chain_that_never_changes_is_one_block(images):
    x = layers.Conv2D(4, 3, padding="same")(images)
    assert names(layers.Conv2D(4, 3, padding="same", name="only")(x), images) == ["only"]


def test_a_residual_unit_is_a_block_with_its_activation(images):
    stem = layers.Conv2D(4, 3, padding="same", name="stem")(images)
    x = layers.Add()([stem, layers.Conv2D(4, 3, padding="same")(stem)])
    x = layers.ReLU(name="relu")(layers.BatchNormalization()(x))
    assert names(layers.Conv2D(8, 1, name="top")(x), images) == ["stem", "relu", "top"]


def test_no_cut_inside_nested_branches(images):
    x = layers.Conv2D(4, 1, name="stem")(images)
    inner = layers.Conv2D(4, 1)(x)
    inner = layers.Add()([inner, layers.Conv2D(4, 1)(inner)])
    assert names(layers.Add(name="out")([x, inner]), images) == ["stem", "out"]


def test_a_gate_is_not_a_branch(images):
    x = layers.Conv2D(4, 1)(images)
    gate = layers.Conv2D(4, 1, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Conv2D(4, 1, name="out")(layers.Multiply()([x, gate]))
    assert names(x, images) == ["out"]


def test_a_tail_without_kernels_belongs_to_the_last_block(images):
    x = layers.MaxPooling2D()(layers.Conv2D(4, 1)(images))
    assert names(layers.AveragePooling2D(2, name="tail")(x), images) == ["tail"]
