"""Trials: budgets, folds, early stopping, repeatability, and honest failure."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from points import point

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.statistics.standard_error import standard_error
from frostline.training.cell import make_cell
from frostline.training.fit import TrainingDiverged
from frostline.training.setup import Setup
from frostline.training.trial import SCORE, STANDARD_ERROR, Trainer, best_epoch, epochs_within_budget

HEAD_ONLY = point(freeze_depth=5)
CONFIG = BackboneConfig(image_size=48)


@pytest.fixture
def trainer(cell, train_config, tmp_path):
    return Trainer(Setup(cell, "vgg16", CONFIG, train_config, PrefixCache(tmp_path, 10**9), seed=20))


@given(share=st.floats(0.001, 1), images=st.integers(1, 5000), budget=st.floats(1, 10000))
def test_epochs_never_cost_more_than_the_budget_unless_they_are_the_fewest(share, images, budget):
    train = load_config(Path(__file__).parents[2] / "params.yaml").train.model_copy(update={"budget": budget})
    epochs = epochs_within_budget(train, share, images)
    assert 1 <= epochs <= train.epochs
    assert epochs == 1 or epochs * share * images <= budget


def test_answers_are_those_of_the_score(trainer, watcher):
    validation = trainer.validate(HEAD_ONLY, 3, watcher)
    right = np.array(validation.right)
    labels = trainer.cell.packed.labels[trainer.cell.validation_rows]
    assert validation.score == pytest.approx(np.mean([right[labels == name].mean() for name in (0, 1)]))


def test_a_head_is_never_limited_by_the_budget(train_config):
    tight = train_config.model_copy(update={"budget": 1, "epochs": 40})
    assert epochs_within_budget(tight, 0, 10**6) == 40


@pytest.mark.parametrize(
    "settings", [HEAD_ONLY, HEAD_ONLY.model_copy(update={"keep": 4, "freeze_depth": 3, "pooling": "average"})]
)
def test_the_same_seed_gives_the_same_history_and_network(trainer, settings, watcher):
    first, second = (trainer.validate(settings, 3, watcher) for _ in range(2))
    assert first == second
    networks = [trainer.refit(settings, 2, 3) for _ in range(2)]
    for one, two in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.fixture
def held_out(packed_cells, train_config, tmp_path):
    """Validated on a hold-out of five images, for up to thirty epochs with a patience of three."""
    patient = train_config.model_copy(update={"epochs": 30, "patience": 3, "folds_up_to": 0})
    cell = make_cell(packed_cells(48), 12, patient, seed=20)
    return Trainer(Setup(cell, "vgg16", CONFIG, patient, PrefixCache(tmp_path, 10**9), seed=20))


def test_training_stops_when_patience_runs_out_and_names_the_best_epoch(held_out, watcher):
    result = held_out.validate(HEAD_ONLY, 3, watcher)
    scores = [epoch[SCORE] for epoch in result.history]
    assert result.epochs == best_epoch(result.history)
    assert result.standard_error == result.history[result.epochs - 1][STANDARD_ERROR] > 0
    assert result.score == scores[result.epochs - 1]
    assert len(scores) == 30 or len(scores) == result.epochs + 3
    assert watcher.epochs == list(enumerate(result.history, start=1))
    assert not watcher.folds


def test_training_stops_after_patience_epochs_below_the_best(monkeypatch, held_out, watcher):
    """A real run whose scores are replaced, because no small network falls on command."""
    scores = iter([0.95, 0.2, 0.2, 0.2])
    monkeypatch.setattr("sklearn.metrics.balanced_accuracy_score", lambda *_: next(scores))
    result = held_out.validate(HEAD_ONLY, 3, watcher)
    assert (result.epochs, result.score, len(result.history)) == (1, 0.95, 4)


def test_a_score_knows_its_classes_and_groups(packed_cells, train_config, tmp_path, watcher):
    """Whether each validation image was right, counted by hand; four neighbours are a group."""
    packed = packed_cells(48)
    grouped = replace(packed, index=packed.index.assign(group=[f"g{row // 4}" for row in range(24)]))
    cell = make_cell(grouped, 12, train_config.model_copy(update={"folds": 2}), seed=20)
    trainer = Trainer(Setup(cell, "vgg16", CONFIG, train_config, PrefixCache(tmp_path, 10**9), seed=20))
    last = trainer.validate(HEAD_ONLY, 3, watcher).history[-1]
    right = np.concatenate([certainties for _, _, certainties in watcher.folds]) > 0.5
    rows = cell.validation_rows
    expected = standard_error(right, packed.labels[rows], grouped.index["group"].to_numpy()[rows])
    assert last[STANDARD_ERROR] == pytest.approx(expected)
    assert last[STANDARD_ERROR] >= standard_error(right, packed.labels[rows], rows) - 1e-12


def test_folds_are_trained_one_after_another_and_scored_together(trainer, watcher):
    result = trainer.validate(HEAD_ONLY, 3, watcher)
    assert [first for _, first, _ in watcher.folds] == [0, 8, 16]
    assert [epochs for epochs, _, _ in watcher.folds] == [3, 3, 3] == [len(result.history)] * 3
    certainties = np.concatenate([each for _, _, each in watcher.folds])
    assert len(certainties) == len(trainer.cell.validation_rows)
    assert ((certainties >= 0) & (certainties <= 1)).all()
    right = np.mean(certainties > 0.5)  # two classes of one size: the same as balanced accuracy
    assert result.history[-1][SCORE] == pytest.approx(right)
    assert not watcher.epochs


def test_thawed_blocks_start_under_a_trained_head(cell, train_config, tmp_path, watcher):
    """With rates too low to change anything, what is left is the head of the first phase."""
    still = HEAD_ONLY.model_copy(update={"freeze_depth": 4, "backbone_learning_rate": 1e-12})
    scores = {}
    for head_epochs in (0, 30):
        config = train_config.model_copy(update={"head_epochs": head_epochs, "epochs": 2, "warmup": 0.99})
        trainer = Trainer(Setup(cell, "vgg16", CONFIG, config, PrefixCache(tmp_path, 10**9), seed=20))
        scores[head_epochs] = trainer.validate(still, 3, watcher).history[0]["validation_loss"]
    assert scores[30] < scores[0] - 0.05


def test_a_random_network_is_trained_from_the_images(trainer, watcher):
    retrain = HEAD_ONLY.model_copy(update={"init": "random", "keep": 2, "freeze_depth": 0, "views": "identity"})
    result = trainer.validate(retrain, 3, watcher)
    assert np.isfinite([epoch["train_loss"] for epoch in result.history]).all()
    network = trainer.refit(retrain, 1, 3)
    kernel = network.get_layer("block1_conv1").kernel.numpy()
    assert np.abs(kernel - trainer.backbone.network.get_layer("block1_conv1").kernel.numpy()).max() > 0.01


def test_a_trial_that_diverges_says_so(trainer, watcher):
    wild = HEAD_ONLY.model_copy(update={"head_learning_rate": 1e38})
    with pytest.raises(TrainingDiverged, match="the learning rate is too high"):
        trainer.validate(wild, 3, watcher)


def test_rare_classes_weigh_more(packed_cells, train_config, tmp_path):
    packed = packed_cells(48)
    rows = np.concatenate([np.flatnonzero(packed.labels == 0), np.flatnonzero(packed.labels == 1)[:4]])
    index = packed.index.assign(split=["train" if row in rows else "test" for row in range(len(packed.labels))])
    cell = make_cell(replace(packed, index=index), 12, train_config, seed=20)
    trainer = Trainer(Setup(cell, "vgg16", CONFIG, train_config, PrefixCache(tmp_path, 10**9), seed=20))
    weights = trainer.setup.class_weights()
    np.testing.assert_allclose(weights, [16 / (2 * 12), 16 / (2 * 4)])
