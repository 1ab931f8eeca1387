"""Shift is a divergence: nothing between equals, symmetric, finite, and surer with more images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm

from frostline.regimes.activations import Activations
from frostline.regimes.reference import Reference, channel_moments
from frostline.regimes.shift import measure_shift, symmetric_divergence

CHANNELS = 5
MEANS = arrays(np.float64, CHANNELS, elements=st.floats(-100, 100))
VARIANCES = arrays(np.float64, CHANNELS, elements=st.floats(0.01, 100))


def activations(count: int, offset: float = 0.0, seed: int = 0) -> Activations:
    """Of `count` images, in two layers of 4 and 6 channels with 9 positions; every channel is normal (offset, 1)."""
    rng = np.random.default_rng(seed)
    maps = [rng.normal(offset, 1, size=(count, 9, channels)).astype(np.float32) for channels in (4, 6)]
    return Activations(tuple(x.mean(axis=1) for x in maps), tuple((x**2).mean(axis=1) for x in maps), ())


def standard_reference() -> Reference:
    return Reference((np.zeros(4), np.zeros(6)), (np.ones(4), np.ones(6)), "standard normal")


@given(MEANS, VARIANCES)
def test_equal_gaussians_do_not_diverge(mean: np.ndarray, variance: np.ndarray) -> None:
    np.testing.assert_allclose(symmetric_divergence(mean, variance, mean, variance), 0, atol=1e-12)


@given(MEANS, VARIANCES, MEANS, VARIANCES)
def test_a_divergence_is_never_negative(p: np.ndarray, p_var: np.ndarray, q: np.ndarray, q_var: np.ndarray) -> None:
    assert symmetric_divergence(p, p_var, q, q_var).min() >= -1e-12


@given(MEANS, VARIANCES, MEANS)
def test_exchanging_the_sides_changes_nothing_under_one_floor(p: np.ndarray, p_var: np.ndarray, q: np.ndarray) -> None:
    q_var = p_var[::-1]  # the same median, from which the floor is taken
    forth, back = symmetric_divergence(p, p_var, q, q_var), symmetric_divergence(q, q_var, p, p_var)
    np.testing.assert_allclose(forth, back, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (1.5, 1.0), (-2.0, 0.5), (0.3, 2.0)])
def test_the_divergence_is_the_integral_of_both_log_ratios(mean: float, deviation: float) -> None:
    p, q = norm(mean, deviation), norm(0.5, 1.2)
    integral, _ = quad(lambda x: (p.pdf(x) - q.pdf(x)) * (p.logpdf(x) - q.logpdf(x)), -30, 30, points=[mean, 0.5])
    # The second channel makes the floor negligible: it is a thousandth of the median variance, 5e-7.
    tiny = np.array([1.44, 1e-12, 1e-12])
    found = symmetric_divergence(np.array([mean, 0, 0]), np.array([deviation**2, 1, 1]), np.array([0.5, 0, 0]), tiny)
    assert found[0] == pytest.approx(integral, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("variance", "reference"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_a_constant_channel_gives_a_finite_number(variance: float, reference: float) -> None:
    found = symmetric_divergence(np.ones(3), np.array([variance, 1, 1]), np.ones(3), np.array([reference, 1, 1]))
    assert np.isfinite(found).all()
    assert found[1:].max() == pytest.approx(0, abs=1e-12)
    assert (found[0] > 100) == (variance != reference)


def test_images_compared_with_themselves_have_no_shift() -> None:
    images = activations(40, offset=3)
    shift = measure_shift(images, Reference(*channel_moments(images), "the same images"), seed=1)
    assert [interval.value for interval in (shift.score, *shift.layers)] == pytest.approx([0, 0, 0], abs=1e-9)


def test_the_shift_of_standard_normals_is_the_square_of_their_distance() -> None:
    # KL(p, q) + KL(q, p) of (d, 1) and (0, 1) is d squared; the floor of 0.001 takes a thousandth off.
    assert measure_shift(activations(3000, offset=2), standard_reference(), seed=1).score.value == pytest.approx(
        4, rel=0.02
    )


def test_the_score_is_the_median_over_layers_and_a_layer_that_over_channels() -> None:
    images, reference = activations(50, offset=1), standard_reference()
    shift = measure_shift(images, reference, seed=1)
    by_hand = [
        np.median(symmetric_divergence(*each))
        for each in zip(*channel_moments(images), reference.means, reference.variances, strict=True)
    ]
    assert [layer.value for layer in shift.layers] == pytest.approx(by_hand, rel=0.02)  # less the bias
    assert shift.score.value == pytest.approx(np.median(by_hand), rel=0.02)


@pytest.mark.parametrize("count", [20, 100, 400])
def test_an_interval_brackets_its_value(count: int) -> None:
    shift = measure_shift(activations(count, offset=1), standard_reference(), seed=1)
    for interval in (shift.score, *shift.layers):
        assert interval.low < interval.value < interval.high


def test_more_images_narrow_the_interval() -> None:
    widths = []
    for count in (20, 80, 320):
        score = measure_shift(activations(count, offset=1), standard_reference(), seed=1).score
        widths.append(score.high - score.low)
    assert widths[0] > 1.4 * widths[1] > 1.4**2 * widths[2]


def test_copies_of_images_narrow_nothing() -> None:
    images, copies = activations(20, offset=1), np.repeat(np.arange(20), 4)
    once = measure_shift(images, standard_reference(), seed=1).score
    grouped, fooled = (
        measure_shift(images.of(copies), standard_reference(), 1, groups).score
        for groups in ([f"g{row}" for row in copies], None)
    )
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high))
    assert fooled.high - fooled.low < 0.7 * (once.high - once.low)


def test_the_interval_covers_the_true_shift_about_as_often_as_it_says() -> None:
    truth = 1 / 1.001
    scores = [measure_shift(activations(100, 1.0, seed), standard_reference(), seed).score for seed in range(60)]
    assert sum(score.low <= truth <= score.high for score in scores) >= 50


def test_the_seed_decides_the_interval_and_hardly_the_value() -> None:
    images, reference = activations(30, offset=1), standard_reference()
    first, second, other = (measure_shift(images, reference, seed) for seed in (1, 1, 2))
    assert first == second
    assert first.score.value == pytest.approx(other.score.value, rel=0.02)
    assert first.score != other.score


def test_layers_that_do_not_match_the_references_are_refused() -> None:
    reference = Reference((np.zeros(4),), (np.ones(4),), "one layer")
    with pytest.raises(ValueError, match="shorter"):
        measure_shift(activations(20), reference, seed=1)
