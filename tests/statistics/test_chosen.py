"""The score of a winner, corrected for its having been chosen."""

import numpy as np
import pytest

from frostline.statistics.chosen import score_of_chosen

ROUNDS = 40


@pytest.mark.parametrize("worth", [[0.75] * 12, np.linspace(0.6, 0.8, 12).tolist(), [0.7]])
def test_on_average_it_is_what_the_chosen_candidate_is_worth(worth: list[float]) -> None:
    rng, labels = np.random.default_rng(7), np.arange(100) % 2
    raw, corrected, covered = [], [], 0
    for _ in range(ROUNDS):
        right = rng.random((len(worth), 100)) < np.array(worth)[:, None]
        winner = int(right.mean(axis=1).argmax())
        found = score_of_chosen(right, labels, np.arange(100), lambda scores: int(np.argmax(scores)), seed=1)
        raw.append(right[winner].mean() - worth[winner])
        corrected.append(found.value - worth[winner])
        covered += found.low <= worth[winner] <= found.high
    assert abs(np.mean(corrected)) < 0.015
    assert covered >= 0.9 * ROUNDS
    assert len(worth) == 1 or np.mean(raw) > 0.03


def test_a_group_is_drawn_or_left_as_a_whole() -> None:
    """Candidates that know one group each: where that is in the draw they win, and know nothing of the rest."""
    right = np.eye(4, dtype=bool).repeat(5, axis=1)
    groups, labels = np.arange(4).repeat(5), np.arange(20) % 2
    found = score_of_chosen(right, labels, groups, lambda scores: int(np.argmax(scores)), seed=1)
    assert found.value < 0.1


def test_a_rare_class_may_be_missing_from_a_draw() -> None:
    labels = np.array([0] * 30 + [1])
    right = np.ones((2, 31), dtype=bool)
    found = score_of_chosen(right, labels, np.arange(31), lambda scores: int(np.argmax(scores)), seed=1)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_of_one_group_nothing_is_left_to_score_by() -> None:
    right = np.array([[True, True, False], [True, False, False]])
    found = score_of_chosen(right, np.zeros(3, dtype=int), np.zeros(3), lambda scores: int(np.argmax(scores)), seed=1)
    assert (found.value, found.low, found.high) == (pytest.approx(2 / 3), 0, 1)


def test_the_same_seed_gives_the_same_interval() -> None:
    right = np.random.default_rng(0).random((3, 50)) < 0.7
    first, again = (
        score_of_chosen(right, np.arange(50) % 5, np.arange(50), lambda scores: int(np.argmax(scores)), seed=4)
        for _ in range(2)
    )
    assert first == again
