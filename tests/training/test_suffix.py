"""Suffixes: one graph for all trials of a shape, and no trace of the trial before."""

import numpy as np
import pytest
from points import point
from scipy.special import softmax

from frostline.data.views import views_of
from frostline.training.suffix import Shape, _Dropout

SETTINGS = point()


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(epochs=2, folds_up_to=0)


def outcome(validation):
    return validation.history, validation.epochs, validation.certainty.tolist(), validation.correct.tolist()


def trained(trainer, settings, seed, watcher):
    return outcome(trainer.validate(settings, seed, watcher))


def test_trials_of_one_shape_share_one_graph_that_is_traced_once(trainer, watcher, monkeypatch):
    """Python runs a layer's `call` only while a graph is traced: other rates and dropout must not run it."""
    traced = []
    real = _Dropout.call
    monkeypatch.setattr(_Dropout, "call", lambda self, *a, **k: traced.append(self) or real(self, *a, **k))
    trainer.validate(SETTINGS, 3, watcher)
    assert traced
    traced.clear()
    trainer.validate(point(head_learning_rate=0.001, backbone_learning_rate=0.001, dropout=0.6), 4, watcher)
    assert not traced
    trainer.validate(point(blocks=(3, 5)), 4, watcher)
    assert traced


def test_a_trial_leaves_nothing_behind(trainer, watcher):
    first = trained(trainer, SETTINGS, 3, watcher)
    for between in (point(freeze_depth=2), point(blocks=(3, 5)), SETTINGS.head, point(backbone_learning_rate=0.01)):
        trainer.validate(between, 9, watcher)
        assert trained(trainer, SETTINGS, 3, watcher) == first, between


def test_a_random_trial_leaves_the_pretrained_weights_alone(trainer, watcher):
    every = point(blocks=(2,), freeze_depth=0)
    first = trained(trainer, every, 3, watcher)
    trainer.validate(every.model_copy(update={"init": "random"}), 3, watcher)
    assert trained(trainer, every, 3, watcher) == first


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(
    ("settings", "cuts"),
    [(point(blocks=(3, 4, 5)), None), (point(blocks=(1, 3, 5), freeze_depth=2), (1,)), (point(freeze_depth=0), None)],
)
def test_before_the_first_step_it_answers_as_the_head_does(make_trainer, settings, cuts, precision):
    """Whatever of the frozen blocks is cached: features stand in the order in which the head reads them."""
    trainer = make_trainer(precision=precision, folds_up_to=0)
    if cuts:
        trainer.setup.fill([settings.views], cuts)
    ((training, validation),) = trainer.cell.folds
    fitted = trainer.heads.fit(settings, training)
    suffix, inputs = trainer.setup.begin(settings, training, fitted, 3)
    found = suffix.probabilities(inputs, validation, len(views_of(settings.test_views)))
    features = trainer.heads._features(settings.head)[validation]
    tolerance = 1e-4 if precision == "float32" else 0.03
    np.testing.assert_allclose(found, softmax(fitted.logits(features), axis=1), atol=tolerance)


@pytest.mark.parametrize(("blocks", "freeze_depth", "cuts"), [((3, 5), 4, None), ((2, 5), 3, (1,))])
def test_frozen_blocks_stay_as_they_are_and_thawed_ones_do_not(trainer, blocks, freeze_depth, cuts):
    if cuts:
        trainer.setup.fill(["mirror"], cuts)
    network = trainer.refit(point(blocks=blocks, freeze_depth=freeze_depth), 2, 3)
    before = {weight.path: np.array(weight) for weight in trainer.backbone.network.weights}
    after = {weight.path: np.array(weight) for weight in network.weights if weight.path in before}
    assert after.keys() == before.keys()
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed == {path for path in before if int(path[len("block")]) > freeze_depth}


def test_dropout_drops_its_share_and_keeps_the_mean():
    dropout = _Dropout()
    dropout.reset(0.4, 1)
    values = np.asarray(dropout(np.ones((200, 100), dtype=np.float32), training=True))
    assert (values == 0).mean() == pytest.approx(0.4, abs=0.02)
    assert values.mean() == pytest.approx(1.0, abs=0.03)
    assert (np.asarray(dropout(np.ones((2, 3)))) == 1).all()


def test_in_float16_the_loss_scale_is_forgotten_too(make_trainer, watcher):
    """It doubles after 2,000 good steps and halves after one that overflows, so that trials would depend on others."""
    trainer = make_trainer(precision="mixed_float16", epochs=1, folds_up_to=0)
    first = trained(trainer, SETTINGS, 3, watcher)
    optimizer = trainer.setup._suffixes.get(Shape(4, (5,), 4, "both")).model.optimizer
    ended_at = float(optimizer.dynamic_scale)
    optimizer.dynamic_scale.assign(1.0)
    assert trained(trainer, SETTINGS, 3, watcher) == first
    assert float(optimizer.dynamic_scale) == ended_at > 1
