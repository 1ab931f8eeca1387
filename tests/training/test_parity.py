"""Training a suffix on cached prefix activations equals training the whole network with the prefix frozen."""

import math

import keras
import numpy as np
import pytest
from points import point

from frostline.backbones.surgery import add_head, build_backbone, select_pooling
from frostline.cache.prefix import PrefixCache
from frostline.config.schema import BackboneConfig
from frostline.data.views import under, views_of
from frostline.training.cell import make_cell
from frostline.training.feed import make_feed
from frostline.training.fit import Inputs, predict, steps_per_epoch, train_epoch
from frostline.training.setup import Setup
from frostline.training.suffix import _Dropout
from frostline.training.trial import Trainer

EPOCHS, SEED = 2, 5
CASES = {
    "vgg16": (48, "imagenet", [(5, 0), (5, 1), (4, 2)]),
    "inceptionv3": (75, None, [(13, 0), (13, 1), (6, 2)]),
    "resnet50": (32, None, [(17, 0), (17, 2), (8, 1)]),
}


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then a cosine to zero, written out."""

    def __init__(self, peak, steps, warmup):
        self.shares = [(step + 1) / warmup for step in range(warmup)]
        falling = steps - warmup
        self.shares += [0.5 * (1 + math.cos(math.pi * step / falling)) for step in range(falling + 1)]
        self.peak = peak

    def __call__(self, step):
        return self.peak * keras.ops.take(keras.ops.convert_to_tensor(self.shares, "float32"), step)


def plain_optimizer(settings, steps, warmup):
    """Two learning rates as a user of Keras writes them."""
    rates = keras.optimizers.OptimizerMap(
        keras.optimizers.AdamW(Rate(settings.backbone_learning_rate, steps, warmup), weight_decay=0)
    )
    head = Rate(settings.head_learning_rate, steps, warmup)
    rates["head/.*"] = keras.optimizers.AdamW(head, weight_decay=settings.weight_decay)
    return keras.optimizers.MultiOptimizer(rates)


def whole_network_trained(name, config, settings, cell, train_config, rows=None, fold=None, precision="float32"):
    """What a user of plain Keras would do: one network from pixels to classes, its prefix set to not trainable."""
    rows = cell.all_rows if rows is None else rows
    backbone = build_backbone(name, config, seed=20, precision=precision)
    kept = backbone.slice(0, settings.keep)
    dropout = _Dropout()  # the one that trials use, so that both draw the same masks
    output, statistics = add_head(kept.output, 2, pooling=settings.pooling, dropout=dropout, seed=SEED)
    features = select_pooling(backbone.pooled(settings.keep, cell.packed.images[rows]), settings.pooling)
    statistics.moving_mean.assign(features.mean(axis=0))
    statistics.moving_variance.assign(features.var(axis=0))
    network = keras.Model(kept.input, output)
    images = [np.asarray(under(view, cell.packed.images)) for view in views_of(settings.views)]
    feed = make_feed(images, np.arange(len(cell.packed.labels)), 10**9)
    inputs = Inputs(feed, cell.packed.labels, np.ones(2, dtype=np.float32))
    rng = np.random.default_rng([SEED, len(cell.folds) if fold is None else fold])
    every = steps_per_epoch(len(rows), train_config.batch_size)
    warmup = round(train_config.warmup * EPOCHS * every) if settings.thaw else 0
    phases = [(settings.freeze_depth, EPOCHS, warmup)]
    if settings.thaw and train_config.head_epochs:
        phases.insert(0, (settings.keep, train_config.head_epochs, 0))
    for freeze_depth, epochs, warmup in phases:
        backbone.freeze(settings.keep, freeze_depth)
        dropout.reset(settings.dropout, SEED)
        network.compile(plain_optimizer(settings, epochs * every, warmup), "sparse_categorical_crossentropy")
        for _ in range(epochs):
            train_epoch(network, inputs, rows, train_config.batch_size, rng)
    return network


def assert_same_network(ours, theirs, images):
    for mine, expected in zip(parameters(ours), parameters(theirs), strict=True):
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=2e-3, atol=2e-5, err_msg=expected.path)
    np.testing.assert_allclose(ours.predict(images, verbose=0), theirs.predict(images, verbose=0), atol=1e-3)


def parameters(network):
    """Weights but for those of dropout, which a served network has not."""
    return [weight for weight in network.weights if weight.name != "rate"]


def make_trainer(name, packed_cells, train_config, folder, folds_up_to=0):
    size, weights, _ = CASES[name]
    config = BackboneConfig(weights=weights, image_size=size)
    cell = make_cell(packed_cells(size), 12, train_config.model_copy(update={"folds_up_to": folds_up_to}), seed=20)
    return Trainer(Setup(cell, name, config, train_config, PrefixCache(folder, 10**9), seed=20)), config


@pytest.mark.parametrize(
    ("name", "keep", "thaw"), [(name, *case) for name, (_, _, cases) in CASES.items() for case in cases]
)
def test_suffix_on_cached_prefix_equals_the_whole_network(name, keep, thaw, packed_cells, train_config, tmp_path):
    """Two phases and a warm-up included."""
    settings = point(keep=keep, freeze_depth=keep - thaw, dropout=0.3, views="identity")
    trainer, config = make_trainer(name, packed_cells, train_config, tmp_path)
    images = trainer.cell.packed.images

    ours = trainer.refit(settings, EPOCHS, SEED)
    theirs = whole_network_trained(name, config, settings, trainer.cell, train_config)

    untrained = trainer.refit(
        settings.model_copy(update={"head_learning_rate": 1e-9, "backbone_learning_rate": 1e-9}), 1, SEED
    )
    assert_same_network(ours, theirs, images)
    assert np.abs(ours.predict(images, verbose=0) - untrained.predict(images, verbose=0)).max() > 0.005


@pytest.mark.parametrize("thaw", [0, 1])
@pytest.mark.parametrize("views", ["mirror", "crops-2", "dihedral"])
def test_views_that_are_cached_equal_views_of_the_images(thaw, views, packed_cells, train_config, tmp_path):
    settings = point(freeze_depth=5 - thaw, dropout=0.3, views=views)
    trainer, config = make_trainer("vgg16", packed_cells, train_config, tmp_path)
    ours = trainer.refit(settings, EPOCHS, SEED)
    theirs = whole_network_trained("vgg16", config, settings, trainer.cell, train_config)
    assert_same_network(ours, theirs, trainer.cell.packed.images)


@pytest.mark.parametrize("cuts", [(), (2,)])
def test_frozen_blocks_that_are_not_cached_are_computed_to_the_same_effect(cuts, packed_cells, train_config, tmp_path):
    settings = point(dropout=0.3, pooling="average")
    trainer, config = make_trainer("vgg16", packed_cells, train_config, tmp_path)
    trainer.setup.fill(["mirror"], cuts)
    ours = trainer.refit(settings, EPOCHS, SEED)
    theirs = whole_network_trained("vgg16", config, settings, trainer.cell, train_config)
    assert_same_network(ours, theirs, trainer.cell.packed.images)
    assert not list(tmp_path.glob("*/map-4.values"))


@pytest.mark.parametrize("thaw", [0, 1])
def test_each_fold_equals_a_network_that_is_trained_on_it_alone(thaw, packed_cells, train_config, tmp_path, watcher):
    settings = point(freeze_depth=5 - thaw, dropout=0.3)
    short = train_config.model_copy(update={"epochs": EPOCHS})
    trainer, config = make_trainer("vgg16", packed_cells, short, tmp_path, folds_up_to=200)
    trainer.validate(settings, SEED, watcher)
    packed = trainer.cell.packed
    for number, ((training, validation), (_, _, certainties)) in enumerate(
        zip(trainer.cell.folds, watcher.folds, strict=True)
    ):
        alone = whole_network_trained("vgg16", config, settings, trainer.cell, short, training, number)
        probabilities = alone.predict(packed.images[validation], verbose=0)
        expected = probabilities[np.arange(len(validation)), packed.labels[validation]]
        np.testing.assert_allclose(certainties, expected, atol=1e-3)


def test_in_bfloat16_parity_holds_within_its_rounding(packed_cells, train_config, tmp_path, watcher):
    """Cut and suffix against the whole network, both in bfloat16; float32 is further away than they are apart."""
    settings = point(dropout=0.0, views="identity")
    half = train_config.model_copy(update={"precision": "mixed_bfloat16", "epochs": EPOCHS})
    trainer, config = make_trainer("vgg16", packed_cells, half, tmp_path, folds_up_to=200)
    trainer.validate(settings, SEED, watcher)
    training, validation = trainer.cell.folds[0]
    network = whole_network_trained(
        "vgg16", config, settings, trainer.cell, half, training, 0, precision="mixed_bfloat16"
    )
    packed = trainer.cell.packed
    feed = make_feed([packed.images], np.arange(len(packed.labels)), 10**9)
    expected = predict(network, feed, validation)[np.arange(len(validation)), packed.labels[validation]]
    np.testing.assert_allclose(watcher.folds[0][2], expected, atol=0.02)
