"""The score by which trials are compared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from frostline.statistics.brier import brier_score, merit

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2)), min_size=1, max_size=30)


@given(ANSWERS)
def test_it_lies_between_all_right_and_all_wrong(answers: list[tuple[float, int]]) -> None:
    certainty, labels = np.array(answers).T
    assert 0 <= brier_score(certainty, labels.astype(int)) <= 1
    assert brier_score(np.ones(len(labels)), labels.astype(int)) == 0
    assert brier_score(np.zeros(len(labels)), labels.astype(int)) == 1


@given(ANSWERS, st.integers(2, 4))
def test_a_class_counts_the_same_however_many_images_it_has(answers: list[tuple[float, int]], times: int) -> None:
    certainty, labels = np.array(answers).T
    more = np.where(labels == labels[0], times, 1)
    repeated = brier_score(np.repeat(certainty, more), np.repeat(labels, more).astype(int))
    assert repeated == pytest.approx(brier_score(certainty, labels.astype(int)))


def test_of_two_classes_alike_it_is_the_brier_score_of_scikit_learn() -> None:
    rng, labels = np.random.default_rng(0), np.arange(40) % 2
    certainty = rng.random(40)
    of_second = np.where(labels == 1, certainty, 1 - certainty)
    assert brier_score(certainty, labels) == pytest.approx(brier_score_loss(labels, of_second))


def test_it_varies_less_by_chance_than_right_answers_do() -> None:
    """Of two candidates the better one is found more often by it, on as many images."""
    rng, found = np.random.default_rng(1), []
    for _ in range(400):
        odds = np.array([[0.7], [0.9]]) + rng.normal(size=(2, 60))
        certainty = 1 / (1 + np.exp(-2 * odds))
        right, merits = (odds > 0).mean(axis=1), merit(certainty).mean(axis=1)
        found.append((right[1] > right[0], merits[1] > merits[0]))
    by_score, by_brier = np.mean(found, axis=0)
    assert by_brier > by_score + 0.03
