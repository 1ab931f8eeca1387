"""The probe is fair, and the evidence is what it is called."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from frostline.evaluation.intervals import balanced_accuracy_interval
from frostline.regimes.probe import cut_block, log_evidence, peak_block, probe_answers, probe_gain, usable_folds
from frostline.statistics.interval import Interval

ALONE = [str(number) for number in range(120)]


def probe_score(features: np.ndarray, labels: np.ndarray, groups: list[str], folds: int, seed: int) -> Interval:
    right = probe_answers(features, labels, groups, folds, seed)
    return balanced_accuracy_interval(right, labels, np.array(groups), seed)


def informative(strength: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Features [120, 8] float32, of which each label raises one by `strength` deviations, and labels [120]."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 3], 40)  # 2 is left out, as a class without images would be
    features = rng.standard_normal((120, 8)).astype(np.float32)
    features[np.arange(120), labels] += strength
    return features, labels


def test_classes_that_lie_apart_are_read_and_random_ones_are_not() -> None:
    assert probe_score(*informative(5), ALONE, 5, seed=1).value > 0.9
    chance = probe_score(*informative(0), ALONE, 5, seed=1)
    assert chance.low < 1 / 3 < chance.high


def test_the_interval_holds_the_value_and_the_same_seed_gives_the_same() -> None:
    first, second = (probe_score(*informative(1), ALONE, 5, seed=1) for _ in range(2))
    assert first == second
    assert 0 <= first.low <= first.value <= first.high <= 1


def test_a_gain_is_paired_and_has_the_sign_of_the_better_block() -> None:
    labels, groups = np.repeat([0, 1, 3], 40), np.array(ALONE)
    last = np.random.default_rng(1).random(120) < 0.6
    earlier = last | (np.arange(120) % 8 == 0)
    gain = probe_gain(labels, groups.tolist(), earlier, last, seed=1)
    right = [balanced_accuracy_interval(each, labels, groups, 1) for each in (earlier, last)]
    assert gain.value == pytest.approx(right[0].value - right[1].value)
    assert 0 < gain.low < gain.value < gain.high
    assert gain.high - gain.low < right[0].high - right[0].low
    back = probe_gain(labels, groups.tolist(), last, earlier, seed=1)
    assert (back.value, back.low, back.high) == pytest.approx((-gain.value, -gain.high, -gain.low))
    none = probe_gain(labels, groups.tolist(), last, last, seed=1)
    assert (none.value, none.low, none.high) == (0, 0, 0)


def test_a_group_is_never_on_both_sides() -> None:
    """Features that only name the group give the label away as soon as one of the group is trained on."""
    rng = np.random.default_rng(2)
    labels = np.repeat(rng.permutation(np.repeat([0, 1], 15)), 4)
    groups = np.repeat(np.arange(30), 4)
    features = np.eye(30, dtype=np.float32)[groups]
    assert probe_score(features, labels, [str(n) for n in range(120)], 5, seed=1).value > 0.9
    assert probe_score(features, labels, groups.astype(str).tolist(), 5, seed=1).value < 0.7


@pytest.mark.parametrize(
    ("labels", "groups", "folds"),
    [
        ([0, 0, 0], "abc", 0),
        ([0, 0, 0, 1, 1, 1, 1], "abcdefg", 3),
        ([0, 0, 0, 1, 1, 1, 1], "aabcdef", 2),
        ([0, 0, 1, 1], "aabb", 1),
        ([0] * 9 + [1] * 9, "abcdefghijklmnopqr", 5),
    ],
)
def test_folds_are_as_many_as_the_smallest_class_has_groups(labels: list[int], groups: str, folds: int) -> None:
    assert usable_folds(np.array(labels), list(groups), 5) == folds


def test_log_evidence_is_the_highest_likelihood_of_the_linear_model() -> None:
    """Integrating the weights out leaves y ~ N(0, XX'/alpha + I/beta): maximise that without any algebra."""
    rng = np.random.default_rng(3)
    features = rng.standard_normal((30, 4)).astype(np.float32)
    labels = (features[:, 0] + rng.standard_normal(30) > 0).astype(np.int64)
    x = features.astype(np.float64)

    def highest(y: np.ndarray) -> float:
        def loss(logs: np.ndarray) -> float:
            covariance = x @ x.T * np.exp(-logs[0]) + np.eye(30) * np.exp(-logs[1])
            return -float(multivariate_normal.logpdf(y, cov=covariance))

        return -min(minimize(loss, [start, 1.0], method="Nelder-Mead").fun for start in (0.0, 2.0)) / 30

    expected = np.mean([highest((labels == label).astype(float)) for label in (0, 1)])
    assert log_evidence(features, labels) == pytest.approx(expected, abs=2e-3)


def test_log_evidence_does_not_depend_on_the_directions_of_the_axes() -> None:
    features, labels = informative(1)
    rotation = np.linalg.qr(np.random.default_rng(4).standard_normal((8, 8)))[0]
    assert log_evidence((features @ rotation).astype(np.float32), labels) == pytest.approx(
        log_evidence(features, labels), abs=1e-4
    )


def test_log_evidence_rises_with_what_features_tell() -> None:
    evidences = [log_evidence(*informative(strength)) for strength in (0, 1, 3)]
    assert evidences == sorted(evidences)


def test_more_columns_than_images_are_no_trouble() -> None:
    features, labels = informative(2)
    wide = np.hstack([features, np.zeros((120, 400), np.float32)])
    assert log_evidence(wide, labels) == pytest.approx(log_evidence(features, labels), abs=1e-3)


@pytest.mark.parametrize(
    ("scores", "error", "peak", "cut"),
    [
        ([], 0.06, None, None),
        ([0.9], 0.06, 1, None),
        ([0.6, 0.7, 0.8, 0.9, 0.95], 0.02, 5, 4),  # the usual cut of five blocks is the fourth, and it is best
        ([0.6, 0.7, 0.81, 0.80, 0.79], 0.04, 3, 4),  # the third is better by luck's measure only
        ([0.6, 0.7, 0.90, 0.80, 0.79], 0.04, 3, 3),  # beyond a standard error
        ([0.6, 0.7, 0.801, 0.80, 0.79], 0.004, 3, 4),
        ([0.6, 0.7, 0.82, 0.80, 0.79], 0.004, 3, 3),  # many images make a small lead count
        ([0.8, 0.8, 0.8, 0.8, 0.8], 0.06, 1, 4),
    ],
)
def test_the_cut_leaves_its_usual_place_only_for_a_score_that_is_better_beyond_luck(scores, error, peak, cut) -> None:
    assert (peak_block(scores), cut_block(scores, [error] * len(scores))) == (peak, cut)


def test_near_duplicates_make_the_probe_no_surer() -> None:
    features, labels = informative(1)
    copies = np.repeat(np.arange(120), 4)
    once = probe_score(features, labels, ALONE, 5, seed=1)
    grouped = probe_score(features[copies], labels[copies], [ALONE[row] for row in copies], 5, seed=1)
    fooled = probe_score(features[copies], labels[copies], [str(row) for row in range(480)], 5, seed=1)
    assert grouped.high - grouped.low == pytest.approx(once.high - once.low, rel=0.25)
    assert fooled.high - fooled.low < 0.6 * (once.high - once.low)


def test_a_probe_without_a_mistake_is_not_certain() -> None:
    found = probe_score(*informative(9), ALONE, 5, seed=1)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low < 0.99
