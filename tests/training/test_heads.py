"""Heads: scored by images that they were not fitted to, in every draw of folds."""

from dataclasses import replace

import numpy as np
import pytest
from points import head, point
from scipy.special import softmax

from frostline.data.views import views_of
from frostline.statistics.temperature import fit_temperature
from frostline.training.heads import Heads
from frostline.training.ridge import PENALTIES, fit_ridge

SETTINGS = [head(), head(blocks=(3, 5), views="crops-1", pooling="average"), head(test_views="identity")]


def features_of(trainer, settings):
    """Vectors of all images as the backbone gives them under each view, one network for each block."""
    from frostline.backbones.readout import select_pooling
    from frostline.data.views import under

    views = [np.asarray(under(view, trainer.cell.packed.images)) for view in views_of(settings.test_views)]
    parts = [
        np.mean([select_pooling(trainer.backbone.pooled(block, images), settings.pooling) for images in views], axis=0)
        for block in settings.blocks
    ]
    return np.concatenate(parts, axis=1), [part.shape[1] for part in parts]


@pytest.mark.parametrize("settings", SETTINGS)
def test_scores_are_those_of_each_fold_fitted_by_hand(trainer, settings):
    scores, cell = trainer.heads.scores(settings), trainer.cell
    features, widths = features_of(trainer, settings)
    labels, rows = cell.packed.labels, cell.validation_rows
    assert scores.logits.shape == (3, len(rows), 2)
    errors = []
    for penalty in PENALTIES:
        logits = np.full_like(scores.logits, np.nan)
        for draw, folds in enumerate(cell.repeats):
            for training, validation in folds:
                (fitted,) = fit_ridge(features, training, labels, np.ones(2, dtype=np.float32), widths, (penalty,))
                for row in validation:
                    logits[draw, rows == row] = fitted.logits(features[[row]])
        errors.append(((logits - np.where(np.eye(2)[labels[rows]] > 0, 2, -2)) ** 2).sum())
        if penalty == scores.penalty:
            np.testing.assert_allclose(scores.logits, logits, atol=2e-3)
    assert scores.penalty == PENALTIES[int(np.argmin(errors))]
    probabilities = np.concatenate([softmax(draw.astype(np.float64), axis=1) for draw in scores.logits])
    assert scores.temperature == pytest.approx(fit_temperature(np.concatenate([labels[rows]] * 3), probabilities))


def test_the_same_head_is_scored_once(trainer, monkeypatch):
    scores = trainer.heads.scores(SETTINGS[0])
    monkeypatch.setattr(trainer.heads, "_score", lambda _: pytest.fail("it was scored before"))
    assert trainer.heads.scores(SETTINGS[0]) is scores
    assert trainer.heads.scores(point(freeze_depth=1, dropout=0.5)) is scores
    assert trainer.heads.scores(point(init="random", freeze_depth=0)) is scores


def test_no_image_has_a_say_in_its_own_logits(trainer, make_trainer, monkeypatch):
    """Whatever the labels of a fold's validation images: the head that answers for them has not seen them."""
    monkeypatch.setattr("frostline.training.heads.PENALTIES", (0.01,))
    before = Heads(trainer.setup).scores(SETTINGS[0]).logits
    cell = trainer.cell
    _, validation = cell.folds[1]
    labels = cell.packed.labels.copy()
    labels[validation] = 1 - labels[validation]  # half of them are of each class, and stay so
    changed = make_trainer(replace(cell.packed, labels=labels)).setup
    changed.cell = replace(changed.cell, repeats=cell.repeats)
    after = Heads(changed).scores(SETTINGS[0]).logits
    first, held, last = cell.places(0)
    np.testing.assert_array_equal(after[0, held], before[0, held])
    assert (after[0, np.concatenate([first, last])] != before[0, np.concatenate([first, last])]).any(axis=1).all()


def test_a_head_is_fitted_to_the_rows_it_is_given_and_calibrated(trainer):
    settings, rows = SETTINGS[1], trainer.cell.all_rows[2:20]
    features, widths = features_of(trainer, settings)
    scores = trainer.heads.scores(settings)
    fitted = trainer.heads.fit(settings, rows)
    labels, weights = trainer.cell.packed.labels, np.ones(2, dtype=np.float32)
    (expected,) = fit_ridge(features, rows, labels, weights, widths, (scores.penalty,))
    np.testing.assert_allclose(
        fitted.logits(features), expected.logits(features) / scores.temperature, rtol=1e-2, atol=2e-3
    )


def test_a_class_of_few_images_counts_as_much_as_the_other(make_trainer, packed_cells):
    packed = packed_cells(32)
    rare = np.flatnonzero(packed.labels == 1)[:4]
    left_out = (packed.labels == 1) & ~np.isin(np.arange(24), rare)
    index = packed.index.assign(split=np.where(left_out, "test", "train"))
    trainer = make_trainer(replace(packed, index=index))
    np.testing.assert_allclose(trainer.setup.class_weights(), [16 / (2 * 12), 16 / (2 * 4)])
    rows = trainer.cell.all_rows
    features, widths = features_of(trainer, SETTINGS[0])
    penalty = trainer.heads.scores(SETTINGS[0]).penalty
    temperature = trainer.heads.scores(SETTINGS[0]).temperature
    (expected,) = fit_ridge(
        features, rows, packed.labels, np.array([16 / 24, 16 / 8], dtype=np.float32), widths, (penalty,)
    )
    found = trainer.heads.fit(SETTINGS[0], rows).logits(features) * temperature
    np.testing.assert_allclose(found, expected.logits(features), rtol=1e-2, atol=2e-3)


def test_vectors_that_are_not_held_in_memory_give_the_same_scores(make_trainer):
    held, streamed = (make_trainer(resident_gigabytes=size).heads.scores(SETTINGS[1]) for size in (2, 0))
    np.testing.assert_array_equal(held.logits, streamed.logits)
    assert (held.penalty, held.temperature) == (streamed.penalty, streamed.temperature)


def test_more_than_two_classes_are_told_apart(make_trainer, packed_cells):
    packed = packed_cells(32)
    brightness = packed.images.mean(axis=(1, 2, 3)).argsort().argsort()
    three = replace(packed, labels=brightness // 8, classes=("dark", "light", "middle"))
    three = replace(three, index=three.index.assign(label=np.array(three.classes)[three.labels]))
    trainer = make_trainer(three)
    scores = trainer.heads.scores(head(blocks=(1,)))
    assert scores.logits.shape == (3, 24, 3)
    labels = three.labels[trainer.cell.validation_rows]
    assert (scores.logits.argmax(axis=2) == labels).mean() > 0.6
