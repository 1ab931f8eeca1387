"""Frozen is frozen, in every family of keras.applications: results do not depend on which cuts are cached."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from points import point

from frostline.backbones.readout import read_out
from frostline.backbones.surgery import build_backbone
from frostline.config.schema import BackboneConfig
from frostline.training.ridge import LinearHead
from frostline.training.suffix import Shape, Suffix

STOCHASTIC = {"efficientnet_b0": (32, 6), "efficientnet_v2_b0": (32, 6)}
OTHERS = {
    "convnext_tiny": (32, 3),
    "densenet121": (32, 2),
    "inception_resnet_v2": (75, 2),
    "mobilenet": (32, 2),
    "mobilenet_v2": (32, 3),
    "mobilenet_v3_small": (32, 3),
    "resnet50_v2": (32, 2),
    "vgg19": (32, 2),
    "xception": (71, 2),
}
"""The smallest member of a family: its least size, and how many of its blocks are kept. test_parity has the others."""

SETTINGS = point(head_learning_rate=0.01, backbone_learning_rate=0.001)


def build(name, size):
    return build_backbone(name, BackboneConfig(weights=None, image_size=size), seed=20)


def random_states(network):
    weights = {id(weight) for weight in network.weights}
    return [variable for variable in network.variables if id(variable) not in weights]


def step(backbone, suffix, images, seed=3):
    """The loss of one step on the activations of the suffix's source, and what is trained after it."""
    shape, before = suffix.shape, backbone.network.get_weights()
    width = sum(backbone.width(block, shape.pooling) for block in shape.blocks)
    kernel = np.random.default_rng(1).normal(size=(width, 2)).astype("float32") / width
    blank = LinearHead.blank(width, 2)
    suffix.start(SETTINGS, backbone, replace(blank, kernel=kernel), seed=seed, warmup=1)
    suffix.model.run_eagerly = True  # tracing a graph takes longer than one step
    inputs = [np.asarray(backbone.slice(0, shape.source)(images, training=False)) if shape.source else images]
    if shape.frozen:
        taps = backbone.taps(0, shape.frozen)
        inputs.append(keras.Model(taps.inputs, read_out(taps.outputs, shape.pooling)).predict_on_batch([images]))
    loss = float(suffix.model.train_on_batch(inputs, np.arange(len(images)) % 2))
    trained = [keras.ops.convert_to_numpy(weight) for weight in suffix.model.trainable_weights]
    backbone.network.set_weights(before)
    return loss, trained


def pictures(size, count=8):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def suffix_of(backbone, source, blocks, freeze_depth):
    return Suffix(backbone, Shape(source, blocks, freeze_depth, "both"), 2, train_batchnorm=False)


@pytest.mark.parametrize("name", STOCHASTIC | OTHERS)
def test_a_step_on_cached_activations_equals_one_that_computes_the_frozen_blocks(name):
    size, keep = (STOCHASTIC | OTHERS)[name]
    backbone = build(name, size)
    assert bool(random_states(backbone.slice(0, keep - 1))) == (name in STOCHASTIC)
    (loss, weights), (other, same) = (
        step(backbone, suffix_of(backbone, source, (keep - 1, keep), keep - 1), pictures(size))
        for source in (keep - 1, 0)
    )
    assert loss == pytest.approx(other, rel=1e-3)
    assert len(weights) == len(same) > 2
    for mine, expected in zip(weights, same, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=2e-3, atol=2e-4)


def test_a_network_too_large_to_be_stepped_here_has_nothing_random_in_it():
    backbone = build("nasnet_mobile", 32)
    assert not random_states(backbone.network)


def test_thawed_blocks_have_their_stochastic_depth_and_draw_it_from_the_seed():
    """Whatever was trained before: the same seed gives the same step, another seed another one."""
    size, keep = STOCHASTIC["efficientnet_b0"]
    backbone = build("efficientnet_b0", size)
    suffix = suffix_of(backbone, keep - 3, (keep - 2, keep), keep - 3)
    states = random_states(backbone.slice(keep - 3, keep))
    images, seen = pictures(size, 64), []
    for seed in (3, 3, 4):
        loss, trained = step(backbone, suffix, images, seed)
        seen.append(([loss, *trained], [np.asarray(state) for state in states]))
    (first, drawn), (again, same), (_, others) = seen
    for one, two in zip(first + drawn, again + same, strict=True):
        np.testing.assert_array_equal(one, two)
    assert drawn
    assert not any(np.array_equal(one, two) for one, two in zip(drawn, others, strict=True))
