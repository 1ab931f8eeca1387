"""Training a suffix on cached prefix activations equals training the whole network with the prefix frozen."""

from math import comb

import keras
import numpy as np
import pytest
from points import point
from scipy.special import softmax

from frostline.backbones.readout import add_head, read_out
from frostline.data.views import under, views_of
from frostline.statistics.temperature import with_temperature
from frostline.training.feed import make_feed
from frostline.training.fit import Inputs, steps_per_epoch, train_epoch
from frostline.training.served import head_of, set_head
from frostline.training.suffix import _Dropout

EPOCHS, SEED = 2, 5
CASES = {
    "vgg16": (32, "imagenet", [((5,), 4), ((4,), 2), ((3, 5), 4), ((2, 3, 5), 2)]),
    "inceptionv3": (75, None, [((13,), 12), ((4, 6), 4)]),
    "resnet50": (32, None, [((7, 8), 7), ((15, 17), 15)]),
}
"""Image size, weights, and the blocks that a head reads with the freeze depth."""


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Linear to the peak, written out, and constant from there."""

    def __init__(self, peak, steps):
        self.rates = [peak * (step + 1) / steps for step in range(steps)] + [peak] * 100

    def __call__(self, step):
        return keras.ops.take(keras.ops.convert_to_tensor(self.rates, "float32"), step)


def plain_optimizer(settings, warmup):
    """Two learning rates as a user of Keras writes them."""
    rates = keras.optimizers.OptimizerMap(keras.optimizers.Adam(WarmUp(settings.backbone_learning_rate, warmup)))
    rates["head/.*"] = keras.optimizers.Adam(WarmUp(settings.head_learning_rate, warmup))
    return keras.optimizers.MultiOptimizer(rates)


class Recorded:
    """A network whose weights are noted after every step."""

    def __init__(self, network):
        self.network, self.steps = network, []

    def train_on_batch(self, *batch, **options):
        loss = self.network.train_on_batch(*batch, **options)
        self.steps.append([np.array(weight) for weight in self.network.trainable_weights])
        return loss

    def average(self):
        """Polynomial decay: step t counts as often as t + 7 things can be chosen by eight."""
        shares = [comb(step + 8, 8) for step in range(len(self.steps))]
        for weight, *values in zip(self.network.trainable_weights, *self.steps, strict=True):
            weight.assign(np.average(values, axis=0, weights=shares).astype(np.float32))


def trained_by_hand(trainer, settings, rows=None, number=None, epochs=EPOCHS):
    """What a user of plain Keras would do: one network from pixels to classes, its prefix set to not trainable.

    With it comes the network to the features that its head reads.
    """
    cell, train = trainer.cell, trainer.setup.train
    rows = cell.all_rows if rows is None else rows
    backbone = trainer.setup.build()
    taps = backbone.taps(0, settings.blocks)
    vector = read_out(taps.outputs, settings.pooling)
    dropout = _Dropout()  # the one that trials use, so that both draw the same masks
    output, _ = add_head(vector, 2, dropout=dropout)
    network = keras.Model(taps.inputs, output)
    set_head(network, trainer.heads.fit(settings, rows))
    backbone.freeze(settings.keep, settings.freeze_depth)
    dropout.reset(settings.dropout, SEED)
    warmup = round(train.warmup * steps_per_epoch(len(rows), train.batch_size))
    network.compile(plain_optimizer(settings, warmup), "sparse_categorical_crossentropy")
    images = [np.asarray(under(view, cell.packed.images)) for view in views_of(settings.views)]
    feed = make_feed(images, np.arange(len(cell.packed.labels)), 10**9)
    inputs = Inputs([feed], cell.packed.labels, np.ones(2, dtype=np.float32))
    rng = np.random.default_rng([SEED, len(cell.folds) if number is None else number])
    recorded = Recorded(network)
    for _ in range(epochs):
        train_epoch(recorded, inputs, rows, train.batch_size, rng)
    recorded.average()
    return network, keras.Model(taps.inputs, vector)


def answers(trainer, settings, trained, rows=slice(None)):
    """Probabilities of features averaged over the test views, by a network that was trained by hand."""
    network, features = trained
    images = trainer.cell.packed.images[rows]
    views = [np.asarray(under(view, images)) for view in views_of(settings.test_views)]
    vectors = np.mean([features.predict([each], verbose=0) for each in views], axis=0)
    return softmax(head_of(network).logits(vectors), axis=1)


def assert_same_network(trainer, settings, ours, trained):
    theirs, _ = trained
    for mine, expected in zip(parameters(ours), parameters(theirs), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=2e-3, atol=3e-5, err_msg=expected.path)
    found = ours.predict(np.asarray(trainer.cell.packed.images), verbose=0)
    np.testing.assert_allclose(found, answers(trainer, settings, trained), atol=1e-3)


def parameters(network):
    """Weights but for those of dropout, which a served network has not."""
    return [weight for weight in network.weights if weight.name != "rate"]


@pytest.mark.parametrize(
    ("name", "blocks", "freeze_depth"), [(name, *case) for name, (_, _, cases) in CASES.items() for case in cases]
)
def test_suffix_on_cached_prefix_equals_the_whole_network(make_trainer, packed_cells, name, blocks, freeze_depth):
    size, weights, _ = CASES[name]
    trainer = make_trainer(packed_cells(size), name, weights)
    settings = point(blocks=blocks, freeze_depth=freeze_depth, views="identity")
    ours = trainer.refit(settings, EPOCHS, SEED)
    assert_same_network(trainer, settings, ours, trained_by_hand(trainer, settings))
    images = np.asarray(trainer.cell.packed.images)
    untrained = trainer.refit(settings.head, 0, SEED)
    assert np.abs(ours.predict(images, verbose=0) - untrained.predict(images, verbose=0)).max() > 0.005


@pytest.mark.parametrize(("views", "test_views"), [("crops-1", "crops-1"), ("dihedral", "identity")])
def test_views_that_are_cached_equal_views_of_the_images(trainer, views, test_views):
    settings = point(blocks=(3, 5), views=views, test_views=test_views)
    ours = trainer.refit(settings, EPOCHS, SEED)
    assert_same_network(trainer, settings, ours, trained_by_hand(trainer, settings))


@pytest.mark.parametrize(("cuts", "blocks"), [((), (5,)), ((2,), (4, 5)), ((2,), (1, 3, 5))])
def test_frozen_blocks_that_are_not_cached_are_computed_to_the_same_effect(trainer, tmp_path, cuts, blocks):
    settings = point(blocks=blocks, freeze_depth=3, pooling="average")
    trainer.setup.fill(["mirror"], cuts)
    ours = trainer.refit(settings, EPOCHS, SEED)
    assert_same_network(trainer, settings, ours, trained_by_hand(trainer, settings))
    assert not list(tmp_path.glob("cache/*/map-3.values"))


@pytest.mark.parametrize("blocks", [(5,), (3, 5)])
def test_each_fold_equals_a_network_that_is_trained_on_it_alone(make_trainer, watcher, blocks):
    trainer = make_trainer(epochs=EPOCHS, folds=2)
    settings = point(blocks=blocks)
    result = trainer.validate(settings, SEED, watcher)
    probabilities = np.concatenate(
        [
            answers(trainer, settings, trained_by_hand(trainer, settings, training, number, result.epochs), validation)
            for number, (training, validation) in enumerate(trainer.cell.folds)
        ]
    )
    labels = trainer.cell.packed.labels[trainer.cell.validation_rows]
    expected = with_temperature(probabilities, result.temperature)[np.arange(len(labels)), labels]
    np.testing.assert_allclose(result.certainty, expected, atol=2e-3)


def test_in_bfloat16_parity_holds_within_its_rounding(make_trainer, watcher):
    """Cut and suffix against the whole network, both in bfloat16; float32 is further away than they are apart."""
    trainer = make_trainer(precision="mixed_bfloat16", epochs=EPOCHS, folds_up_to=0)
    settings = point(blocks=(3, 5), views="identity")
    result = trainer.validate(settings, SEED, watcher)
    training, validation = trainer.cell.folds[0]
    trained = trained_by_hand(trainer, settings, training, 0, result.epochs)
    labels = trainer.cell.packed.labels[validation]
    probabilities = with_temperature(answers(trainer, settings, trained, validation), result.temperature)
    np.testing.assert_allclose(result.certainty, probabilities[np.arange(len(labels)), labels], atol=0.02)
