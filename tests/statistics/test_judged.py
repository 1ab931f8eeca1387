"""Scores of candidates that some images alone judged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.statistics.chosen import score_of_chosen
from frostline.statistics.judged import ALIKE, balanced_means, error_of_balanced_mean
from frostline.statistics.standard_error import standard_error

IMAGES, JUDGED = 200, 60
LABELS = np.arange(IMAGES) % 2
GROUPS = np.arange(IMAGES)
ONCE = np.ones((1, IMAGES))


def answers(rng: np.random.Generator, able: list[float], hard: float = 1.0) -> np.ndarray:
    """Of candidates that are so able; what makes an image hard is hard for all."""
    return (np.array(able)[:, None] + hard * rng.normal(size=IMAGES) + rng.normal(size=(len(able), IMAGES)) > 0) * 1.0


def partly(correct: np.ndarray, *candidates: int) -> np.ndarray:
    """Those candidates were judged by the first images alone."""
    known = correct.copy()
    known[list(candidates), JUDGED:] = np.nan
    return known


def test_judged_by_all_images_it_is_the_mean_recall() -> None:
    correct = answers(np.random.default_rng(0), [0.5, 1.0])
    recalls = [correct[:, name == LABELS].mean(axis=1) for name in (0, 1)]
    np.testing.assert_allclose(balanced_means(correct, LABELS, ONCE)[0], np.mean(recalls, axis=0))
    assert error_of_balanced_mean(correct, 1, LABELS, GROUPS) == standard_error(correct[1], LABELS, GROUPS)


@given(st.integers(0, 1000))
def test_easy_images_raise_nobody(seed: int) -> None:
    """The candidate answers as the others do, and all are right about the images that judged it."""
    correct = np.repeat(answers(np.random.default_rng(seed), [0.5]), 3, axis=0)
    correct[:, :JUDGED] = 1
    scores = balanced_means(partly(correct, 2), LABELS, ONCE)[0]
    assert scores[2] == pytest.approx(scores[0])


def test_it_is_closer_to_the_score_on_all_images_than_that_on_some_is() -> None:
    """Candidates differ as trials do; on average nobody is raised or lowered."""
    rng, off, off_alone = np.random.default_rng(1), [], []
    for _ in range(400):
        correct = answers(rng, rng.normal(1.0, 0.1, 4).tolist(), hard=2.0)
        adjusted = balanced_means(partly(correct, 3), LABELS, ONCE, ALIKE)[0, 3]
        truth = balanced_means(correct, LABELS, ONCE)[0, 3]
        off.append(adjusted - truth)
        off_alone.append(balanced_means(correct[3:, :JUDGED], LABELS[:JUDGED], ONCE[:, :JUDGED])[0, 0] - truth)
    assert abs(np.mean(off)) < 0.01
    assert np.std(off) < 0.7 * np.std(off_alone)


@pytest.mark.parametrize(("images", "believed"), [(10, 1 / 26), (50, 1 / 6), (125, 1 / 3)])
def test_the_fewer_images_show_a_difference_the_less_it_is_believed(images: int, believed: float) -> None:
    correct = np.zeros((3, IMAGES))
    correct[2] = 1
    correct[2, images:] = np.nan
    assert balanced_means(correct, LABELS, ONCE, ALIKE)[0, 2] == pytest.approx(believed)
    assert balanced_means(correct, LABELS, ONCE)[0, 2] == 1


def test_its_standard_error_is_how_far_it_lies_from_the_truth() -> None:
    rng, scores, errors = np.random.default_rng(2), [], []
    for _ in range(200):
        known = partly(answers(rng, [1.0, 1.1, 0.9, 1.5], hard=2.0), 3)
        scores.append(balanced_means(known, LABELS, ONCE)[0, 3])
        errors.append(error_of_balanced_mean(known, 3, LABELS, GROUPS))
    assert 0.9 * np.std(scores) < np.mean(errors) < 1.6 * np.std(scores)


def test_without_others_it_is_the_score_on_the_images_that_judged_it() -> None:
    correct = partly(answers(np.random.default_rng(3), [0.5]), 0)
    alone = balanced_means(correct[:, :JUDGED], LABELS[:JUDGED], ONCE[:, :JUDGED])
    assert balanced_means(correct, LABELS, ONCE) == alone
    error = standard_error(correct[0, :JUDGED], LABELS[:JUDGED], GROUPS[:JUDGED])
    assert error_of_balanced_mean(correct, 0, LABELS, GROUPS) == error


def test_a_sample_without_such_images_has_no_score() -> None:
    correct, later = partly(np.ones((2, IMAGES)), 1), (GROUPS >= JUDGED)[None]
    scores = balanced_means(correct, LABELS, later)
    assert scores[0, 0] == 1
    assert np.isnan(scores[0, 1])


@pytest.mark.parametrize("able", [[1.0] * 10, [*np.linspace(0.2, 1.2, 10)], [*[0.5] * 9, 1.0]])
def test_a_winner_chosen_among_such_too_is_worth_on_average_what_is_said(able: list[float]) -> None:
    rng, said, covered = np.random.default_rng(4), [], 0
    for _ in range(60):
        known = partly(answers(rng, able), 7, 8, 9)
        scores = balanced_means(known, LABELS, ONCE, ALIKE)[0]

        def highest(times, known=known):
            return np.nan_to_num(balanced_means(known, LABELS, times, ALIKE)).argmax(axis=1)

        found = score_of_chosen(known, LABELS, GROUPS, highest, seed=1)
        truth = answers(rng, [able[int(np.argmax(scores))]] * 50).mean()
        said.append(found.value - truth)
        covered += found.low <= truth <= found.high
    assert abs(np.mean(said)) < 0.02
    assert covered >= 54
