"""Distance, interval and p-value of two samples, held to SciPy's own test where there are no weights."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, norm

from frostline.statistics.kolmogorov import kolmogorov_smirnov


@pytest.mark.parametrize("moved", [0.0, 0.3, 2.0])
def test_without_weights_it_is_scipys_test(moved: float) -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=600), rng.normal(moved, size=200).round(1)
    found, p = kolmogorov_smirnov(first, np.ones(600), second)
    theirs = ks_2samp(first, second, method="asymp")
    assert found.value == pytest.approx(theirs.statistic)
    assert p == pytest.approx(theirs.pvalue)


def test_a_whole_weight_counts_as_so_many_values_in_the_distance() -> None:
    first, weights, second = np.array([3.0, 1.0, 2.0]), np.array([1.0, 3.0, 0.0]), np.array([1.0, 3.0, 3.0])
    assert kolmogorov_smirnov(first, weights, second)[0].value == pytest.approx(3 / 4 - 1 / 3)


def test_a_weighted_sample_is_no_surer_than_what_its_weights_leave() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=1000), rng.normal(0.5, size=200)
    weights = np.where(np.arange(1000) < 50, 1.0, 0.0)
    few, p_few = kolmogorov_smirnov(first, weights, second)
    alone, p_alone = kolmogorov_smirnov(first[:50], np.ones(50), second)
    assert (few, p_few) == (alone, pytest.approx(p_alone))


@pytest.mark.parametrize("moved", [0.0, 0.3, 1.0])
def test_the_interval_holds_the_true_distance(moved: float) -> None:
    rng, true = np.random.default_rng(3), 2 * norm.cdf(moved / 2) - 1
    intervals = [
        kolmogorov_smirnov(rng.normal(size=600), np.ones(600), rng.normal(moved, size=100))[0] for _ in range(100)
    ]
    assert np.mean([found.low <= true <= found.high for found in intervals]) >= 0.93
