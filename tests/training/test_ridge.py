"""Ridge heads in closed form are those of scikit-learn, whichever side is the smaller."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from frostline.backbones.readout import EPSILON
from frostline.training.fit import TrainingDiverged
from frostline.training.ridge import PENALTIES, LinearHead, fit_ridge


def drawn(images, widths, classes, seed):
    """Features of blocks whose scales differ by much, and labels of which each class has one at least."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(3, 10.0 ** rng.integers(-1, 3), size=(images, width)) for width in widths]
    labels = np.concatenate([np.arange(classes), rng.integers(classes, size=images - classes)])
    return np.concatenate(parts, axis=1).astype(np.float32), rng.permutation(labels)


def by_scikit_learn(features, rows, labels, class_weights, widths, penalty, wanted):
    """Logits of `wanted` as the docstring says it, in float64 and without a word of our algebra."""
    features, wanted = (np.arcsinh(x.astype(np.float64)) for x in (features, wanted))
    train = features[rows]
    scale = 1 / np.sqrt(np.repeat(widths, widths))
    seen, new = ((x - train.mean(axis=0)) / np.sqrt(train.var(axis=0) + EPSILON) * scale for x in (train, wanted))
    targets = 2.0 * (2 * np.eye(len(class_weights))[labels[rows]] - 1)
    weights = class_weights[labels[rows]].astype(np.float64)
    model = Ridge(alpha=penalty * weights.sum(), solver="svd").fit(seen, targets, sample_weight=weights)
    return model.predict(new)


@settings(deadline=None, max_examples=30)
@given(
    images=st.integers(5, 60),
    widths=st.lists(st.integers(1, 30), min_size=1, max_size=3),
    classes=st.integers(2, 4),
    seed=st.integers(0, 10**6),
)
def test_every_penalty_gives_what_scikit_learn_gives(images, widths, classes, seed):
    features, labels = drawn(images, widths, classes, seed)
    rows = np.random.default_rng(seed).permutation(images)[: images - 1]
    class_weights = np.random.default_rng(seed).uniform(0.3, 3, classes).astype(np.float32)
    heads = fit_ridge(features, rows, labels, class_weights, widths)
    assert len(heads) == len(PENALTIES)
    for penalty, head in list(zip(PENALTIES, heads, strict=True))[::4]:
        expected = by_scikit_learn(features, rows, labels, class_weights, widths, penalty, features)
        np.testing.assert_allclose(head.logits(features), expected, atol=2e-3)


def test_more_rows_than_are_read_at_once_change_nothing(monkeypatch):
    features, labels = drawn(50, (6, 80), 3, 1)
    weights = np.ones(3, dtype=np.float32)
    for width in (6, 86):  # fewer features than images, and more
        args = (features[:, :width], np.arange(50), labels, weights, (6, 80)[: 1 + (width > 6)])
        whole = fit_ridge(*args)
        monkeypatch.setattr("frostline.training.ridge._ROWS_AT_ONCE", 7)
        for one, two in zip(whole, fit_ridge(*args), strict=True):
            np.testing.assert_allclose(one.logits(args[0]), two.logits(args[0]), atol=1e-4)
        monkeypatch.undo()


def test_a_block_counts_alike_however_often_its_features_are_repeated():
    features, labels = drawn(40, (5, 7), 2, 2)
    repeated = np.concatenate([features[:, :5], *[features[:, 5:]] * 9], axis=1)
    weights = np.ones(2, dtype=np.float32)
    for one, two in zip(
        fit_ridge(features, np.arange(40), labels, weights, (5, 7)),
        fit_ridge(repeated, np.arange(40), labels, weights, (5, 63)),
        strict=True,
    ):
        np.testing.assert_allclose(one.logits(features), two.logits(repeated), atol=1e-3)


def test_features_that_overflowed_end_the_trial_and_say_what_to_try():
    features, labels = drawn(20, (6,), 2, 4)
    features[3, 2] = np.inf
    with pytest.raises(TrainingDiverged, match=r"features that are no numbers: try train\.precision: float32"):
        fit_ridge(features, np.arange(20), labels, np.ones(2, dtype=np.float32), (6,))


@pytest.mark.parametrize("images", [8, 40])
def test_features_that_are_constant_in_training_decide_nothing(images):
    features, labels = drawn(images, (10, 10), 2, 3)
    features[:, 5] = 7
    head = fit_ridge(features, np.arange(images), labels, np.ones(2, dtype=np.float32), (10, 10), (1e-5,))[0]
    np.testing.assert_allclose(head.kernel[5], 0, atol=1e-6)
    assert np.isfinite(head.logits(features)).all()


@pytest.mark.parametrize("images", [8, 40])
def test_a_class_that_is_missing_from_a_fold_is_never_named(images):
    features, labels = drawn(images, (20,), 3, 4)
    rows = np.flatnonzero(labels != 1)
    for head in fit_ridge(features, rows, labels, np.array([1, 5, 1], dtype=np.float32), (20,)):
        logits = head.logits(features)
        np.testing.assert_allclose(logits[:, 1], -2, atol=1e-5)
        assert 1 not in logits[rows].argmax(axis=1)


def test_a_heavy_penalty_leaves_the_weighted_mean_and_a_light_one_the_labels():
    features, labels = drawn(12, (30,), 2, 5)
    light, heavy = fit_ridge(features, np.arange(12), labels, np.array([1, 3], dtype=np.float32), (30,), (1e-9, 1e9))
    np.testing.assert_allclose(light.logits(features).max(axis=1), 2, atol=1e-3)
    assert (light.logits(features).argmax(axis=1) == labels).all()
    weights = np.array([1, 3])[labels]
    mean = (weights @ np.where(np.eye(2)[labels] > 0, 2.0, -2.0)) / weights.sum()
    np.testing.assert_allclose(heavy.logits(features), np.tile(mean, (12, 1)), atol=1e-5)


def test_a_softer_head_divides_its_logits():
    features, labels = drawn(12, (5,), 2, 6)
    (head,) = fit_ridge(features, np.arange(12), labels, np.ones(2, dtype=np.float32), (5,), (0.1,))
    np.testing.assert_allclose(head.softened(4.0).logits(features), head.logits(features) / 4, rtol=1e-5, atol=1e-6)


def test_a_blank_head_makes_all_classes_alike():
    blank = LinearHead.blank(5, 3)
    assert (blank.logits(np.ones((4, 5), dtype=np.float32)) == np.zeros((4, 3))).all()
