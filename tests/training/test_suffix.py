"""Suffixes: one graph for all trials of a shape, and no trace of the trial before."""

import numpy as np
import pytest
from points import point

from frostline.cache.prefix import PrefixCache
from frostline.config.schema import BackboneConfig
from frostline.training.cell import make_cell
from frostline.training.setup import Setup
from frostline.training.suffix import Shape, _Dropout
from frostline.training.trial import Trainer

SETTINGS = point()


@pytest.fixture
def trainer(packed_cells, train_config, tmp_path):
    short = train_config.model_copy(update={"epochs": 2, "head_epochs": 1, "folds_up_to": 0})
    cell = make_cell(packed_cells(32), 12, short, seed=20)
    return Trainer(Setup(cell, "vgg16", BackboneConfig(image_size=32), short, PrefixCache(tmp_path, 10**9), seed=20))


def test_trials_of_one_shape_share_one_graph_that_is_traced_once(trainer, watcher, monkeypatch):
    """Python runs a layer's `call` only while a graph is traced: other rates, decay and dropout must not run it."""
    traced = []
    real = _Dropout.call
    monkeypatch.setattr(_Dropout, "call", lambda self, *a, **k: traced.append(self) or real(self, *a, **k))
    trainer.validate(SETTINGS, 3, watcher)
    assert traced
    traced.clear()
    other = SETTINGS.model_copy(
        update={"head_learning_rate": 0.001, "backbone_learning_rate": 0.001, "weight_decay": 3.0, "dropout": 0.6}
    )
    trainer.validate(other, 4, watcher)
    assert not traced
    trainer.validate(SETTINGS.model_copy(update={"freeze_depth": 3}), 4, watcher)
    assert traced


def test_a_trial_leaves_nothing_behind(trainer, watcher):
    first = trainer.validate(SETTINGS, 3, watcher)
    for between in ({"freeze_depth": 2}, {"freeze_depth": 5}, {"backbone_learning_rate": 0.01}):
        trainer.validate(SETTINGS.model_copy(update=between), 9, watcher)
        assert trainer.validate(SETTINGS, 3, watcher) == first, between


def test_a_random_trial_leaves_the_pretrained_weights_alone(trainer, watcher):
    every = SETTINGS.model_copy(update={"keep": 2, "freeze_depth": 0})
    first = trainer.validate(every, 3, watcher)
    trainer.validate(every.model_copy(update={"init": "random"}), 3, watcher)
    assert trainer.validate(every, 3, watcher) == first


def test_dropout_drops_its_share_and_keeps_the_mean():
    dropout = _Dropout()
    dropout.reset(0.4, 1)
    values = np.asarray(dropout(np.ones((200, 100), dtype=np.float32), training=True))
    assert (values == 0).mean() == pytest.approx(0.4, abs=0.02)
    assert values.mean() == pytest.approx(1.0, abs=0.03)
    assert (np.asarray(dropout(np.ones((2, 3)))) == 1).all()


def test_in_float16_the_loss_scale_is_forgotten_too(packed_cells, train_config, tmp_path, watcher):
    """It doubles after 2,000 good steps and halves after one that overflows, so that trials would depend on others."""
    half = {"precision": "mixed_float16", "epochs": 1, "head_epochs": 0, "folds_up_to": 0}
    config = train_config.model_copy(update=half)
    cell = make_cell(packed_cells(32), 12, config, seed=20)
    trainer = Trainer(
        Setup(cell, "vgg16", BackboneConfig(image_size=32), config, PrefixCache(tmp_path, 10**9), seed=20)
    )
    first = trainer.validate(SETTINGS, 3, watcher)
    optimizer = trainer.setup._suffixes.get(Shape(4, 5, 4, "both")).model.optimizer
    ended_at = float(optimizer.dynamic_scale)
    optimizer.dynamic_scale.assign(1.0)
    assert trainer.validate(SETTINGS, 3, watcher) == first
    assert float(optimizer.dynamic_scale) == ended_at > 1
