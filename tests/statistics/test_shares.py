"""Counts of classes compared, and the shares that probabilities tell of."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from frostline.statistics.shares import distance_of_shares, likeliest_ratios, p_of_equal_shares


def test_many_counts_have_the_p_value_of_the_chi_squared_distribution() -> None:
    first, second = np.array([500, 300, 200]), np.array([90, 80, 30])
    theirs = chi2_contingency(np.stack([first, second])).pvalue
    assert p_of_equal_shares(first, second, seed=1) == pytest.approx(theirs, abs=0.01)


def test_few_counts_of_many_classes_do_not_cry_wolf() -> None:
    rng, shares = np.random.default_rng(1), np.random.default_rng(2).dirichlet(np.full(40, 0.3))
    values = [p_of_equal_shares(rng.multinomial(300, shares), rng.multinomial(50, shares), seed) for seed in range(100)]
    assert np.mean(np.array(values) <= 0.05) <= 0.08


def test_classes_that_nobody_named_do_not_matter() -> None:
    assert p_of_equal_shares(np.array([10, 0]), np.array([5, 0]), seed=1) == 1
    with_none = p_of_equal_shares(np.array([50, 0, 50]), np.array([40, 0, 10]), seed=1)
    assert with_none == p_of_equal_shares(np.array([50, 50]), np.array([40, 10]), seed=1)


@pytest.mark.parametrize("moved", [0.0, 0.1, 0.4])
def test_the_interval_holds_the_true_distance(moved: float) -> None:
    rng, shares = np.random.default_rng(3), np.array([0.5, 0.45, 0.05])
    other = shares + np.array([-moved, moved, 0])
    intervals = [
        distance_of_shares(rng.multinomial(600, shares), rng.multinomial(100, other), seed) for seed in range(100)
    ]
    assert np.mean([found.low - 1e-9 <= moved <= found.high for found in intervals]) >= 0.93


def test_ratios_are_those_of_the_classes_however_often_the_network_is_wrong() -> None:
    """Two Gaussians at a distance of two: one picture in six is named wrongly, of equal classes."""
    rng = np.random.default_rng(4)

    def probabilities(ones: int, twos: int):
        at = np.concatenate([rng.normal(-1, size=ones), rng.normal(1, size=twos)])
        second = 1 / (1 + np.exp(-2 * at))
        return np.stack([1 - second, second], axis=1)

    ratios = likeliest_ratios(probabilities(3000, 3000), probabilities(2700, 300))
    assert ratios == pytest.approx([1.8, 0.2], abs=0.05)
    assert likeliest_ratios(probabilities(3000, 3000), probabilities(3000, 3000)) == pytest.approx([1, 1], abs=0.07)


def test_a_class_that_is_certain_to_be_gone_has_no_ratio() -> None:
    certain = np.eye(3)
    assert likeliest_ratios(certain[[0, 1, 2]], certain[[0, 0, 1]]).tolist() == [2, 1, 0]
