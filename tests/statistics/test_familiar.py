"""What is far from known vectors is so by its Mahalanobis distance, in a unit that few known ones exceed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.statistics.familiar import Familiar, fit_familiar

seeds = st.integers(0, 10**6)


def known(seed: int, images: int = 80, width: int = 12, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of a few classes that lie apart, with features that go together."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    together = rng.normal(size=(images, 8)) @ rng.normal(size=(8, width))
    return together + rng.normal(size=(images, width)) + 4 * rng.normal(size=(classes, width))[labels], labels


def folds(images: int, count: int = 5):
    number = np.arange(images) // 2 % count
    return [(np.flatnonzero(number != each), np.flatnonzero(number == each)) for each in range(count)]


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_it_is_the_mahalanobis_distance_to_the_nearest_class(seed: int) -> None:
    vectors, labels = known(seed)
    others = 3 * np.random.default_rng(seed).normal(size=(10, vectors.shape[1]))
    x = (vectors - vectors.mean(axis=0)) / np.sqrt(vectors.var(axis=0) + 0.01)
    y = (others - vectors.mean(axis=0)) / np.sqrt(vectors.var(axis=0) + 0.01)
    centres = np.stack([x[labels == label].mean(axis=0) for label in range(3)])
    within = x - centres[labels]
    variances, directions = np.linalg.eigh(within.T @ within / len(x))  # all 12 of them are leading ones
    precision = directions / np.maximum(variances, 0.01) @ directions.T
    gaps = y[:, None] - centres
    squared = np.einsum("nkd,de,nke->nk", gaps, precision, gaps).min(axis=1)
    found = Familiar.around(vectors, labels).distances(others)
    np.testing.assert_allclose(found / found[0], np.sqrt(squared / squared[0]), rtol=1e-3)


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from([0.01, 0.05, 0.2]))
def test_no_more_than_the_share_of_what_was_held_out_is_beyond_one(seed: int, share: float) -> None:
    vectors, labels = known(seed)
    found = fit_familiar(vectors, labels, folds(len(vectors)))
    assert len(found.held_out) == len(vectors)
    flagging = found.flagging(share)
    assert (flagging.held_out > 1).mean() <= share
    assert (flagging.held_out >= 1 - 1e-12).any()
    others = 3 * np.random.default_rng(seed).normal(size=(10, vectors.shape[1]))
    ratio = flagging.distances(others) / found.distances(others)
    np.testing.assert_allclose(ratio, ratio[0])
    np.testing.assert_allclose(flagging.held_out, found.held_out * ratio[0])


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_the_order_of_images_and_features_and_their_unit_do_not_matter(seed: int) -> None:
    vectors, labels = known(seed, width=200)
    rng = np.random.default_rng([seed, 1])
    images, features = rng.permutation(len(vectors)), rng.permutation(200)
    found = Familiar.around(vectors, labels).distances(vectors)
    moved = Familiar.around(vectors[np.ix_(images, features)] + 5, labels[images])
    np.testing.assert_allclose(moved.distances(vectors[np.ix_(images, features)] + 5), found[images], rtol=1e-5)


def test_strangers_are_beyond_one_and_the_familiar_seldom_are() -> None:
    alarms = []
    for seed in range(20):
        vectors, labels = known(seed, images=400, width=300)
        found = fit_familiar(vectors[:200], labels[:200], folds(200)).flagging(0.05)
        alarms.append((found.distances(vectors[200:]) > 1).mean())
        elsewhere, _ = known(seed + 1000, images=50, width=300)
        assert (found.distances(elsewhere) > 1).mean() > 0.95
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("width", [1, 2, 500])
def test_few_images_of_any_width_even_all_alike_have_finite_distances(width: int) -> None:
    vectors, labels = np.ones((6, width)), np.array([0, 1] * 3)
    found = fit_familiar(vectors, labels, [(np.arange(4), np.arange(4, 6))]).flagging(0.1)
    assert np.isfinite(found.distances(vectors + 1)).all()
    assert (found.distances(vectors + 1) > found.distances(vectors)).all()
