"""The paired comparison: right value, and an interval that keeps its promise."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from frostline.evaluation.intervals import paired_difference

TRIPLES = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=60)


def balanced(actual: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    return float(np.mean([(predicted[actual == label] == label).mean() for label in np.unique(actual)]))


@given(TRIPLES)
@settings(deadline=None, max_examples=50)
def test_the_value_is_the_difference_of_balanced_accuracies(triples: list[tuple[int, int, int]]) -> None:
    actual, first, second = np.array(triples).T
    difference = paired_difference(actual, first, second, seed=1)
    np.testing.assert_allclose(difference.value, balanced(actual, first) - balanced(actual, second), atol=1e-12)
    assert difference.low - 1e-12 <= difference.high
    np.testing.assert_allclose(paired_difference(actual, second, first, seed=1).value, -difference.value, atol=1e-12)


def test_equal_predictions_differ_by_nothing_for_certain() -> None:
    actual = np.array([0, 0, 1, 1, 1])
    predicted = np.array([0, 1, 1, 1, 0])
    difference = paired_difference(actual, predicted, predicted, seed=1)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_images_that_both_get_right_add_no_uncertainty() -> None:
    rng = np.random.default_rng(1)
    actual = np.repeat([0, 1], 200)
    first = np.where(rng.random(400) < 0.8, actual, 1 - actual)
    second = first.copy()
    second[:4] = 1 - first[:4]
    difference = paired_difference(actual, first, second, seed=1)
    assert difference.high - difference.low < 0.03


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    actual = np.repeat([0, 1], [150, 250])
    covered = 0
    for seed in range(300):
        shared = rng.random(400)
        first = np.where(shared + 0.3 * rng.standard_normal(400) < 0.85, actual, 1 - actual)
        second = np.where(shared + 0.3 * rng.standard_normal(400) < 0.80, actual, 1 - actual)
        found = paired_difference(actual, first, second, seed)
        covered += found.low <= TRUTH <= found.high
    assert 0.92 <= covered / 300 <= 0.98


def _truth() -> float:
    """P(u + 0.3 z < 0.85) - P(u + 0.3 z < 0.80), u uniform and z normal, by a large sample."""
    rng = np.random.default_rng(0)
    sums = rng.random(4_000_000) + 0.3 * rng.standard_normal(4_000_000)
    return float((sums < 0.85).mean() - (sums < 0.80).mean())


TRUTH = _truth()
