"""Intervals keep their promise, and a paired comparison is one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from frostline.evaluation.intervals import (
    balanced_accuracy_interval,
    exact_accuracy,
    intervals,
    paired_difference,
    randomisation_test,
)
from frostline.evaluation.metrics import METRICS, measure

TRIPLES = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=60)


def said(predicted: NDArray[np.int64], classes: int = 2) -> NDArray[np.float64]:
    return np.eye(classes)[predicted]


def single(count: int) -> NDArray[np.int64]:
    """Groups of one image each."""
    return np.arange(count)


def draw(rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels, one in three positive, and probabilities that are too sure of themselves."""
    labels = (rng.random(count) < 1 / 3).astype(np.int64)
    scores = 1 / (1 + np.exp(-(1.5 * (2 * labels - 1) + 1.5 * rng.standard_normal(count))))
    return labels, np.stack([1 - scores, scores], axis=1)


@given(TRIPLES)
@settings(deadline=None, max_examples=20)
def test_the_value_is_the_difference_of_balanced_accuracies(triples: list[tuple[int, int, int]]) -> None:
    actual, first, second = np.array(triples).T
    one, two, groups = said(first, 3), said(second, 3), single(len(actual))
    difference = paired_difference(actual, one, two, groups, "balanced_accuracy", seed=1)
    present = [label in actual for label in range(3)]
    expected = [
        np.mean([(each[actual == label] == label).mean() for label in range(3) if present[label]])
        for each in (first, second)
    ]
    np.testing.assert_allclose(difference.value, expected[0] - expected[1], atol=1e-12)
    other = paired_difference(actual, two, one, groups, "balanced_accuracy", seed=1)
    np.testing.assert_allclose([other.value, other.high], [-difference.value, -difference.low], atol=1e-12)


def test_a_smaller_loss_is_a_gain() -> None:
    labels, sure = np.array([0, 1, 0, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    gain = paired_difference(labels, sure, np.full((4, 2), 0.5), single(4), "log_loss", seed=1)
    assert 0 < gain.low <= gain.value <= gain.high


def test_equal_predictions_differ_by_nothing_for_certain() -> None:
    actual, predicted = np.array([0, 0, 1, 1, 1]), said(np.array([0, 1, 1, 1, 0]))
    difference = paired_difference(actual, predicted, predicted, single(5), "accuracy", seed=1)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_images_that_both_get_right_add_no_uncertainty() -> None:
    rng = np.random.default_rng(1)
    actual = np.repeat([0, 1], 200)
    first = np.where(rng.random(400) < 0.8, actual, 1 - actual)
    second = first.copy()
    second[:4] = 1 - first[:4]
    difference = paired_difference(actual, said(first), said(second), single(400), "balanced_accuracy", seed=1)
    assert difference.high - difference.low < 0.03


def test_near_duplicates_count_as_one_observation() -> None:
    labels, probabilities = draw(np.random.default_rng(3), 100)
    once = intervals(labels, probabilities, single(100), seed=1)
    copies = np.repeat(single(100), 4)
    fourfold = intervals(labels[copies], probabilities[copies], copies, seed=1)
    for metric in ("accuracy", "balanced_accuracy", "log_loss", "roc_auc"):
        assert fourfold[metric].value == pytest.approx(once[metric].value)
        width, other = (each[metric].high - each[metric].low for each in (once, fourfold))
        assert other == pytest.approx(width, rel=0.05)


def test_a_metric_that_is_not_defined_has_no_interval() -> None:
    found = intervals(np.ones(5, dtype=np.int64), said(np.array([1, 1, 0, 1, 1])), single(5), seed=1)
    assert set(METRICS) - set(found) == {"roc_auc", "calibration_error"}


def test_intervals_of_every_metric_cover_the_truth_as_often_as_they_say() -> None:
    simulations, images = 120, 300
    truth = dict.fromkeys(METRICS, 0.0)
    labels, probabilities = draw(np.random.default_rng(0), 400_000)
    for metric in METRICS:
        truth[metric] = measure(metric, labels, probabilities)
    covered = dict.fromkeys(METRICS, 0)
    for seed in range(simulations):
        found = intervals(*draw(np.random.default_rng(seed + 1), images), single(images), seed)
        for metric, interval in found.items():
            covered[metric] += interval.low <= truth[metric] <= interval.high
    shares = {metric: count / simulations for metric, count in covered.items()}
    assert shares.pop("calibration_error") == 0  # it has no interval
    assert all(0.89 <= share <= 0.99 for metric, share in shares.items() if metric != "accuracy"), shares
    assert shares["accuracy"] >= 0.91  # exact intervals cover at least as often as they say


def test_the_paired_interval_covers_the_truth_as_often_as_it_says() -> None:
    def both(rng: np.random.Generator, count: int) -> list[NDArray[np.int64]]:
        actual = (rng.random(count) < 0.6).astype(np.int64)
        shared = rng.random(count)
        return [
            actual,
            *(
                np.where(shared + 0.3 * rng.standard_normal(count) < share, actual, 1 - actual)
                for share in (0.85, 0.80)
            ),
        ]

    actual, first, second = both(np.random.default_rng(0), 1_000_000)
    truth = balanced_accuracy_score(actual, first) - balanced_accuracy_score(actual, second)
    covered = 0
    for seed in range(150):
        actual, first, second = both(np.random.default_rng(seed + 1), 400)
        found = paired_difference(actual, said(first), said(second), single(400), "balanced_accuracy", seed)
        covered += found.low <= truth <= found.high
    assert 0.90 <= covered / 150 <= 0.99


def test_exact_intervals_of_accuracy_are_clopper_and_pearsons() -> None:
    found = exact_accuracy(np.array([True] * 8 + [False] * 2), single(10))
    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((0.4439, 0.9748), abs=1e-4)


@pytest.mark.parametrize("right", [True, False])
def test_no_mistake_among_few_images_is_no_certainty(right: bool) -> None:
    labels = np.repeat([0, 1], [190, 10])
    named = labels if right else 1 - labels
    for metric in ("accuracy", "balanced_accuracy"):
        found = intervals(labels, said(named), single(200), seed=1)[metric]
        assert (found.low <= found.value <= found.high, found.value) == (True, float(right))
        assert 0.01 < found.high - found.low < 0.2


@pytest.mark.parametrize(
    ("images", "recalls"), [((190, 10), (0.97, 0.95)), ((50, 50), (0.8, 0.8)), ((10,) * 10, (0.85,) * 10)]
)
def test_intervals_of_balanced_accuracy_cover_rare_classes_too(
    images: tuple[int, ...], recalls: tuple[float, ...]
) -> None:
    """At the first of these a bootstrap covers in 44% of cases."""
    rng, labels, covered = np.random.default_rng(4), np.repeat(np.arange(len(images)), images), 0
    for seed in range(300):
        right = rng.random(len(labels)) < np.array(recalls)[labels]
        found = balanced_accuracy_interval(right, labels, single(len(labels)), seed)
        covered += found.low <= np.mean(recalls) <= found.high
    assert covered / 300 > 0.91


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (5, 0, 1 / 32), (0, 5, 1.0), (6, 2, 37 / 256), (8, 1, 10 / 512)],
)
def test_on_accuracy_the_randomisation_test_is_mcnemars(gained: int, lost: int, p: float) -> None:
    labels = np.arange(40) % 2
    first, second = labels.copy(), labels.copy()
    second[:gained] = 1 - labels[:gained]
    first[gained : gained + lost] = 1 - labels[gained : gained + lost]
    found = randomisation_test(labels, said(first), said(second), single(40), "accuracy", seed=1)
    assert found == pytest.approx(p, abs=4 * (p * (1 - p) / 2000) ** 0.5 + 0.0006)


def test_copies_of_a_picture_do_not_make_a_difference_sure() -> None:
    labels = np.arange(40) % 2
    second = labels.copy()
    second[:20] = 1 - labels[:20]
    answers = said(labels), said(second)
    assert randomisation_test(labels, *answers, single(40), "accuracy", seed=1) < 0.001
    two = np.concatenate([np.zeros(10), np.ones(10), np.arange(2, 22)])
    assert randomisation_test(labels, *answers, two, "accuracy", seed=1) == pytest.approx(1 / 4, abs=0.04)


def test_a_metric_that_is_not_defined_has_no_p_value() -> None:
    labels, answers = np.ones(5, dtype=np.int64), said(np.array([1, 1, 0, 1, 1]))
    assert np.isnan(randomisation_test(labels, answers, answers, single(5), "roc_auc", seed=1))
