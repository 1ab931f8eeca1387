"""What every backbone must do, over the catalogue's families; and, lightly, over every other Keras family."""

import keras
import numpy as np
import pytest

from frostline.backbones.readout import add_head, read_out
from frostline.backbones.surgery import build_backbone
from frostline.config.schema import BackboneConfig
from frostline.errors import BackboneError

VGG16_BLOCKS = tuple(f"block{block}_pool" for block in range(1, 6))
INCEPTION_BLOCKS = ("max_pooling2d", "max_pooling2d_1", *(f"mixed{index}" for index in range(11)))


def resnet_blocks(*units):
    stages = enumerate(units, start=2)
    return ("pool1_pool", *(f"conv{stage}_block{unit}_out" for stage, n in stages for unit in range(1, n + 1)))


CATALOGUED = {
    "vgg16": (32, VGG16_BLOCKS),
    "inceptionv3": (75, INCEPTION_BLOCKS),
    "resnet50": (32, resnet_blocks(3, 4, 6, 3)),
    "resnet152": (32, resnet_blocks(3, 8, 36, 3)),
}
OTHERS = {
    "convnext_tiny": (32, 22),
    "densenet121": (32, 62),
    "efficientnet_b0": (32, 15),
    "efficientnet_v2_b0": (32, 21),
    "inception_resnet_v2": (75, 46),
    "mobilenet": (32, 5),
    "mobilenet_v2": (32, 16),
    "mobilenet_v3_small": (32, 11),
    "nasnet_mobile": (32, 2),
    "resnet50_v2": (32, 17),
    "vgg19": (32, 5),
    "xception": (71, 14),
}


@pytest.fixture(scope="module", params=CATALOGUED)
def backbone(request):
    size, _ = CATALOGUED[request.param]
    return build_backbone(request.param, BackboneConfig(weights=None, image_size=size), seed=20)


@pytest.fixture
def images(backbone):
    size = backbone.image_size
    return np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)


def values(network):
    return {variable.path: keras.ops.convert_to_numpy(variable) for variable in network.variables}


def run(network, images):
    """Without tracing a graph, which takes longer than one batch of a deep network."""
    return keras.ops.convert_to_numpy(network(keras.ops.convert_to_tensor(images, "float32"), training=False))


def fit_one_step(backbone, keep, freeze_depth, images, **freeze):
    """Freeze, put a head on, train a step; the names of backbone variables that changed."""
    backbone.freeze(keep, freeze_depth, **freeze)
    kept = backbone.slice(0, keep)
    output, _ = add_head(read_out([kept.output], "both"), 2, dropout=0.1)
    model = keras.Model(kept.inputs, output)
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", run_eagerly=True)
    before = values(backbone.network)
    model.fit(images, np.array([0, 1, 0, 1]), batch_size=4, verbose=0)
    after = values(backbone.network)
    return {path for path in before if before[path].tobytes() != after[path].tobytes()}


def paths(network, kind=keras.layers.Layer):
    return {variable.path for layer in network.layers if isinstance(layer, kind) for variable in layer.variables}


def test_blocks_are_as_designed(backbone):
    _, names = CATALOGUED[backbone.spec.name]
    assert backbone.block_names == names
    assert backbone.depth == len(names)
    assert backbone.output_shape(0) == (backbone.image_size, backbone.image_size, 3)
    assert backbone.output_shape(backbone.depth) == backbone.network.output_shape[1:]
    assert min(backbone.flops_per_block()) > 0


def test_slices_compose_to_the_whole_wherever_it_is_cut(backbone, images):
    whole = run(backbone.network, images)
    for cut in range(1, backbone.depth) if backbone.depth < 10 else [backbone.depth // 2]:
        middle = run(backbone.slice(0, cut), images)
        assert middle.shape[1:] == backbone.output_shape(cut)
        np.testing.assert_array_equal(run(backbone.slice(cut, backbone.depth), middle), whole)


def test_a_slice_ends_at_the_block_it_says(backbone, images):
    keep = min(4, backbone.depth - 1)
    x = keras.Input(backbone.output_shape(0))
    steps = [x]
    for block in range(keep):
        steps.append(backbone.slice(block, block + 1)(steps[-1]))
    stepwise = run(keras.Model(x, steps[-1]), images)
    np.testing.assert_array_equal(run(backbone.slice(0, keep), images), stepwise)


def test_every_kernel_is_in_exactly_one_block(backbone):
    blocks = [paths(backbone.slice(block, block + 1)) for block in range(backbone.depth)]
    assert all(blocks)
    assert sum(map(len, blocks)) == len(set().union(*blocks))
    assert set().union(*blocks) == paths(backbone.network)


def test_preprocessing_is_keras_own(backbone, images):
    module = getattr(
        keras.applications, {"vgg16": "vgg16", "inceptionv3": "inception_v3"}.get(backbone.spec.name, "resnet")
    )
    expected = module.preprocess_input(images.astype("float32"))
    if backbone.spec.preprocessing == "caffe":
        by_hand = images[..., ::-1].astype("float32") - np.array([103.939, 116.779, 123.68], "float32")
    else:
        by_hand = images.astype("float32") / 127.5 - 1
    np.testing.assert_allclose(expected, by_hand, atol=1e-4)
    first = next(layer for layer in backbone.network.layers if layer.weights or "pad" in layer.name)
    preprocess = keras.Model(backbone.network.inputs, first.input)
    np.testing.assert_allclose(run(preprocess, images), expected, atol=1e-4)


def test_training_changes_thawed_blocks_only_and_no_batchnorm(backbone, images):
    keep, freeze_depth = backbone.depth - 1, backbone.depth - 2
    changed = fit_one_step(backbone, keep, freeze_depth, images)
    thawed = backbone.slice(freeze_depth, keep)
    assert changed
    assert changed <= paths(thawed) - paths(thawed, keras.layers.BatchNormalization)


def test_nothing_of_a_frozen_backbone_changes(backbone, images):
    assert not fit_one_step(backbone, backbone.depth, backbone.depth, images)


def test_batchnorm_of_thawed_blocks_trains_when_asked(backbone, images):
    keep, freeze_depth = 2, 1
    changed = fit_one_step(backbone, keep, freeze_depth, images, train_batchnorm=True)
    thawed = backbone.slice(freeze_depth, keep)
    assert changed <= paths(thawed)
    assert {path for path in changed if "moving" in path} == {path for path in paths(thawed) if "moving" in path}


def test_a_cut_model_is_saved_without_the_blocks_cut_off_and_comes_back_bit_identical(backbone, images, tmp_path):
    kept = backbone.slice(0, 2)
    output, _ = add_head(read_out([kept.output], "average"), 3, dropout=0.1)
    model = keras.Model(kept.inputs, output)
    assert not paths(model) & paths(backbone.slice(2, backbone.depth))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(run(loaded, images), run(model, images))


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (1, 1), (2, 1), (0, 99)])
def test_impossible_slices_are_refused(backbone, start, stop):
    with pytest.raises(BackboneError, match=rf"<= {backbone.depth}, but got start={start}, stop={stop}"):
        backbone.slice(start, stop)


@pytest.mark.parametrize(("keep", "freeze_depth"), [(1, 2), (99, 0), (1, -1)])
def test_impossible_freezes_are_refused(backbone, keep, freeze_depth):
    with pytest.raises(BackboneError, match=rf"<= {backbone.depth}, but got keep={keep}, freeze_depth={freeze_depth}"):
        backbone.freeze(keep, freeze_depth)


@pytest.mark.parametrize("name", OTHERS)
def test_other_families_are_cut_too(name):
    size, depth = OTHERS[name]
    backbone = build_backbone(name, BackboneConfig(weights=None, image_size=size), seed=20)
    assert backbone.depth == depth
    assert min(backbone.flops_per_block()) > 0
    blocks = [paths(backbone.slice(block, block + 1)) for block in range(depth)]
    assert set().union(*blocks) == paths(backbone.network)
    assert sum(map(len, blocks)) == len(paths(backbone.network))
    x = keras.Input(backbone.output_shape(0))
    composed = backbone.slice(depth // 2, depth)(backbone.slice(0, depth // 2)(x))
    assert composed.shape == backbone.network.output_shape
    if len(backbone.network.layers) < 180:  # tracing the others takes longer than it tells
        images = np.random.default_rng(0).uniform(0, 255, (1, size, size, 3)).astype("float32")
        np.testing.assert_array_equal(run(keras.Model(x, composed), images), run(backbone.network, images))
