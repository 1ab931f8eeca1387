"""Trials: folds, early stopping, watchers, repeatability, and honest failure."""

from dataclasses import replace

import numpy as np
import pytest
from points import head, point
from scipy.special import softmax

from frostline.statistics.standard_error import standard_error
from frostline.training.fit import TrainingDiverged
from frostline.training.metrics import LOSS, SCORE, STANDARD_ERROR, best_epoch

HEAD = head(blocks=(3, 5))
THAWED = point(blocks=(3, 5))


class Stopped(Exception):
    pass


def labels_of(trainer):
    return trainer.cell.packed.labels[trainer.cell.validation_rows]


def recalls(right, labels):
    return np.mean([right[labels == name].mean() for name in np.unique(labels)])


def test_a_head_is_scored_over_every_draw_and_has_no_epochs(trainer, watcher):
    result = trainer.validate(HEAD, 3, watcher)
    labels, scores = labels_of(trainer), trainer.heads.scores(HEAD)
    probabilities = softmax(scores.logits.astype(np.float64) / scores.temperature, axis=2)
    np.testing.assert_allclose(result.correct, (scores.logits.argmax(axis=2) == labels).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        result.certainty, [probabilities[:, place, label].mean() for place, label in enumerate(labels)], rtol=1e-6
    )
    assert result.score == pytest.approx(recalls(result.correct, labels))
    (metrics,) = result.history
    assert metrics[SCORE] == result.score
    assert metrics[LOSS] == pytest.approx(-np.log(result.certainty).mean())
    assert metrics[STANDARD_ERROR] == result.standard_error > 0
    assert metrics["temperature"] == result.temperature == scores.temperature
    assert result.epochs == 0
    assert not watcher.epochs
    assert not watcher.folds


def test_a_thawed_trial_is_scored_by_its_folds_together(trainer, watcher):
    result = trainer.validate(THAWED, 3, watcher)
    labels = labels_of(trainer)
    assert set(result.correct) <= {0, 1}
    np.testing.assert_array_equal(result.correct, result.certainty > 0.5)
    assert result.score == pytest.approx(recalls(result.correct, labels))
    assert len(result.history) == result.epochs
    last = result.history[-1]
    assert last[LOSS] == pytest.approx(-np.log(result.certainty).mean(), rel=1e-5)
    assert (last[SCORE], last[STANDARD_ERROR], last["temperature"]) == (
        result.score,
        result.standard_error,
        result.temperature,
    )


def made_up(trainer, wrong, begun):
    """In place of training: epochs of which each names so many images of its fold wrongly, and whether one ended."""

    def fold(_, number, __):
        _, validation = trainer.cell.folds[number]
        labels = trainer.cell.packed.labels[validation]
        begun.append([number, 0, "open"])
        mine = begun[-1]
        try:
            for count in wrong:
                mine[1] += 1
                named = np.where(np.arange(len(labels)) < count, 1 - labels, labels)
                yield 0.1 * count, np.where(np.eye(2)[named] > 0, 0.7, 0.3).astype(np.float32)
        finally:
            mine[2] = "closed"

    return fold


def test_the_first_fold_says_for_how_many_epochs_the_others_are_trained(make_trainer, watcher, monkeypatch):
    trainer, begun = make_trainer(epochs=30, patience=3), []
    monkeypatch.setattr(trainer, "_fold", made_up(trainer, [3, 2, 1, 2, 1, 3, 0, 0], begun))
    result = trainer.validate(THAWED, 3, watcher)
    assert begun == [[0, 6, "closed"], [1, 3, "closed"], [2, 3, "closed"]]
    assert result.epochs == len(result.history) == best_epoch(result.history) == 3
    assert result.correct.sum() == 24 - 3
    assert [len(history) for history, _, _ in watcher.epochs] == [1, 2, 3, 4, 5, 6]
    assert [settled for _, _, settled in watcher.epochs] == [False] * 5 + [True]
    for history, certainty, _ in watcher.epochs:
        assert (certainty < 0.5).sum() == [3, 2, 1][best_epoch(history) - 1]
        assert len(certainty) == 8
    assert [(len(history), len(certainty)) for history, certainty in watcher.folds] == [(3, 8), (3, 16)]
    assert [(certainty < 0.5).sum() for _, certainty in watcher.folds] == [1, 2]
    first, _, _ = watcher.epochs[2]
    assert watcher.folds[0][0] == first
    assert [epoch["train_loss"] for epoch in result.history] == pytest.approx([0.3, 0.2, 0.1])


@pytest.mark.parametrize(("where", "epochs", "folds"), [("epoch", 1, 3), ("fold", 3, 1)])
def test_a_watcher_that_lets_no_more_be_trained_leaves_it_to_be_judged_by_what_there_is(
    make_trainer, watcher, monkeypatch, where, epochs, folds
):
    trainer, begun = make_trainer(epochs=30, patience=3), []
    monkeypatch.setattr(trainer, "_fold", made_up(trainer, [3, 2, 1, 2, 1, 3, 0, 0], begun))
    monkeypatch.setattr(watcher, where, lambda *_, **__: False)
    result = trainer.validate(THAWED, 3, watcher)
    assert len(begun) == folds
    assert all(state == "closed" for _, _, state in begun)
    assert (result.epochs, len(result.correct), len(result.certainty)) == (epochs, 8 * folds, 8 * folds)
    labels = labels_of(trainer)[: 8 * folds]
    assert result.score == result.history[-1][SCORE] == pytest.approx(recalls(result.correct, labels))


@pytest.mark.parametrize(("epochs", "trained"), [(1, 1), (4, 4), (5, 4)])
def test_training_ends_at_the_most_epochs_and_the_best_is_kept(make_trainer, watcher, monkeypatch, epochs, trained):
    trainer, begun = make_trainer(epochs=epochs, patience=9, folds_up_to=0), []
    monkeypatch.setattr(trainer, "_fold", made_up(trainer, [4, 3, 2, 1, 3, 0], begun))
    assert trainer.validate(THAWED, 3, watcher).epochs == trained
    assert begun == [[0, epochs, "closed"]]
    assert [settled for _, _, settled in watcher.epochs] == [False] * (epochs - 1) + [True]
    assert not watcher.folds


@pytest.mark.parametrize("where", ["epoch", "fold"])
def test_a_watcher_that_raises_ends_the_trial(make_trainer, watcher, monkeypatch, where):
    trainer, begun = make_trainer(epochs=2), []
    monkeypatch.setattr(trainer, "_fold", made_up(trainer, [2, 1, 0], begun))

    def stop(*_, **__):
        raise Stopped

    monkeypatch.setattr(watcher, where, stop)
    with pytest.raises(Stopped):
        trainer.validate(THAWED, 3, watcher)
    assert begun == [[0, 1 if where == "epoch" else 2, "closed"]]


@pytest.mark.parametrize("settings", [HEAD, THAWED, point(init="random", blocks=(1, 2), freeze_depth=0)])
def test_the_same_seed_gives_the_same_history_and_network(make_trainer, watcher, settings):
    trainer = make_trainer(epochs=2, folds_up_to=0)
    first, second = (trainer.validate(settings, 3, watcher) for _ in range(2))
    assert (first.history, first.epochs) == (second.history, second.epochs)
    np.testing.assert_array_equal(first.certainty, second.certainty)
    networks = [trainer.refit(settings, 2, 3) for _ in range(2)]
    for one, two in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(one, two)
    if settings.thaw:
        other = trainer.validate(settings, 4, watcher)
        assert not np.array_equal(other.certainty, first.certainty)


def test_more_epochs_go_on_from_where_fewer_ended(make_trainer, watcher):
    histories = []
    for epochs in (1, 3):
        make_trainer(epochs=epochs, folds_up_to=0).validate(THAWED, 3, watcher)
        histories.append(watcher.epochs[-1][0])
    assert [len(each) for each in histories] == [1, 3]
    assert histories[1][:1] == histories[0]


@pytest.mark.parametrize("settings", [HEAD, THAWED])
def test_a_score_knows_its_classes_and_groups(make_trainer, packed_cells, watcher, settings):
    """Whether each validation image was right, counted by hand; four neighbours are a group."""
    packed = packed_cells(32)
    grouped = replace(packed, index=packed.index.assign(group=[f"g{row // 4}" for row in range(24)]))
    trainer = make_trainer(grouped, folds=2, epochs=1)
    result = trainer.validate(settings, 3, watcher)
    rows = trainer.cell.validation_rows
    expected = standard_error(result.correct, packed.labels[rows], grouped.index["group"].to_numpy()[rows])
    assert result.standard_error == pytest.approx(expected)
    assert expected >= standard_error(result.correct, packed.labels[rows], rows) - 1e-12


def test_a_random_network_is_trained_from_the_images(make_trainer, watcher):
    trainer = make_trainer(epochs=1, folds_up_to=0)
    retrain = point(init="random", blocks=(1, 2), freeze_depth=0, views="identity")
    result = trainer.validate(retrain, 3, watcher)
    assert np.isfinite(result.history[0]["train_loss"])
    kernel = np.array(trainer.refit(retrain, 1, 3).get_layer("block1_conv1").kernel)
    assert np.abs(kernel - np.array(trainer.backbone.network.get_layer("block1_conv1").kernel)).max() > 0.01


@pytest.mark.parametrize(
    ("rate", "batch_size", "reason"),
    [
        ("head_learning_rate", 8, "the training loss became nan"),
        ("head_learning_rate", 24, "outputs are no longer numbers"),
        ("backbone_learning_rate", 8, "(the training loss became nan|outputs are no longer numbers)"),
        ("backbone_learning_rate", 24, "outputs are no longer numbers"),
    ],
)
def test_a_trial_that_diverges_says_so(make_trainer, watcher, rate, batch_size, reason):
    """In the loss, or in the answers where the epoch has one step, whose loss is of what was before it.

    Compressed features are numbers for longer than the blocks' own, so that both are met where blocks diverge.
    """
    trainer = make_trainer(batch_size=batch_size, warmup=0)
    with pytest.raises(TrainingDiverged, match=f"{reason}.*; the learning rate is too high"):
        trainer.validate(point(**{rate: 1e38}), 3, watcher)


def test_what_an_epoch_costs_is_its_share_of_the_backbone_and_what_validates_it(trainer):
    training, validation = trainer.cell.folds[1]
    flops = trainer.backbone.flops_per_block()
    whole = trainer.cost(point(freeze_depth=0), 1)
    assert whole == pytest.approx(len(training) + 2 * len(validation) / 3)
    last = point(blocks=(3, 4), freeze_depth=2, views="flips", test_views="identity")
    share = sum(flops[2:4]) / sum(flops)
    assert trainer.cost(last, 1) == pytest.approx(share * (len(training) + len(validation) / 3))
    assert trainer.cost(HEAD, 1) == 0
