"""The score of a winner, corrected for its having been chosen."""

import math

import numpy as np
import pytest

from frostline.statistics.chosen import score_of_chosen
from frostline.statistics.judged import balanced_means
from frostline.statistics.standard_error import standard_error

ROUNDS = 40
CANDIDATES = 40
TEST_IMAGES = 656


def corrected(correct, labels, groups, seed=1, test_labels=None):
    """Of whoever was right most often, every class alike."""

    def highest(times):
        return np.nan_to_num(balanced_means(np.asarray(correct, dtype=float), labels, times)).argmax(axis=1)

    return score_of_chosen(correct, labels, groups, highest, seed, test_labels)


@pytest.mark.parametrize("worth", [[0.75] * 12, np.linspace(0.6, 0.8, 12).tolist(), [0.7]])
def test_on_average_it_is_what_the_chosen_candidate_is_worth(worth: list[float]) -> None:
    rng, labels = np.random.default_rng(7), np.arange(100) % 2
    raw, said, covered = [], [], 0
    for _ in range(ROUNDS):
        right = rng.random((len(worth), 100)) < np.array(worth)[:, None]
        winner = int(right.mean(axis=1).argmax())
        found = corrected(right, labels, np.arange(100), seed=1)
        raw.append(right[winner].mean() - worth[winner])
        said.append(found.value - worth[winner])
        covered += found.low <= worth[winner] <= found.high
    assert abs(np.mean(said)) < 0.015
    assert covered >= 0.9 * ROUNDS
    assert len(worth) == 1 or np.mean(raw) > 0.03


def test_a_group_is_drawn_or_left_as_a_whole() -> None:
    """Candidates that know one group each: where that is in the draw they win, and know nothing of the rest."""
    right = np.eye(4, dtype=bool).repeat(5, axis=1)
    groups, labels = np.arange(4).repeat(5), np.arange(20) % 2
    found = corrected(right, labels, groups, seed=1)
    assert found.value < 0.1


def test_a_rare_class_may_be_missing_from_a_draw() -> None:
    labels = np.array([0] * 30 + [1])
    right = np.ones((2, 31), dtype=bool)
    found = corrected(right, labels, np.arange(31), seed=1)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 - 1.96 * standard_error(right[0], labels, np.arange(31)))


def test_of_one_group_nothing_is_left_to_score_by() -> None:
    right = np.array([[True, True, False], [True, False, False]])
    found = corrected(right, np.zeros(3, dtype=int), np.zeros(3), seed=1)
    assert (found.value, found.low, found.high) == (pytest.approx(2 / 3), 0, 1)


def test_the_same_seed_gives_the_same_interval() -> None:
    right = np.random.default_rng(0).random((3, 50)) < 0.7
    first, again = (corrected(right, np.arange(50) % 5, np.arange(50), seed=4) for _ in range(2))
    assert first == again


def study(rng, images, draws, luck=0.06, alike=1.0):
    """`correct` of candidates in `draws` of five folds, and the winner's accuracy and its score on a test split.

    What makes an image hard for all (`alike`), for one candidate, and by chance adds up to less than the candidate is
    able to. Each training set brings a candidate `luck` of its own: about two points of accuracy.
    """
    able = rng.normal(0.8, 0.15, CANDIDATES)
    hard = able[:, None] + alike * rng.normal(size=images) + 0.5 * rng.normal(size=(CANDIDATES, images))
    correct = np.zeros((CANDIDATES, images))
    for _ in range(draws):
        fold = rng.permutation(np.arange(images) % 5)
        lucky = rng.normal(0, luck, (CANDIDATES, 5))[:, fold]
        correct += (hard + lucky + 0.4 * rng.normal(size=hard.shape) > 0) / draws
    winner = int(np.argmax([(one[::2].mean() + one[1::2].mean()) / 2 for one in correct]))
    scale = math.sqrt(alike**2 + 0.5**2 + 0.4**2)
    accuracy = (1 + math.erf((able[winner] + rng.normal(0, luck)) / scale / math.sqrt(2))) / 2
    return correct, accuracy, rng.binomial(TEST_IMAGES, accuracy) / TEST_IMAGES


@pytest.mark.parametrize(
    ("images", "draws", "studies", "alike"),
    [(100, 3, 200, 1.0), (100, 3, 100, 0.3), (800, 1, 60, 1.0), (2000, 1, 40, 1.0)],
)
def test_its_interval_covers_the_score_on_a_test_split(images, draws, studies, alike):
    rng, labels, test_labels = np.random.default_rng(5), np.arange(images) % 2, np.arange(TEST_IMAGES) % 2
    error, covered, covered_truth = [], 0, 0
    for _ in range(studies):
        correct, accuracy, test = study(rng, images, draws, alike=alike)
        found = corrected(correct, labels, np.arange(images), 1, test_labels)
        error.append(found.value - accuracy)
        covered += found.low <= test <= found.high
        covered_truth += found.low <= accuracy <= found.high
    assert abs(np.mean(error)) < 0.015
    assert min(covered, covered_truth) >= 0.9 * studies


def test_a_small_test_split_may_be_further_off_and_a_large_one_no_further_than_the_truth():
    correct, labels = np.random.default_rng(2).random((3, 300)) < 0.8, np.arange(300) % 3
    tests = [None, np.arange(3 * 10**5) % 3, np.arange(300) % 3, np.arange(30) % 3]
    found = [corrected(correct, labels, np.arange(300), 1, test) for test in tests]
    assert {each.value for each in found} == {found[0].value}
    widths = [each.high - each.low for each in found]
    assert widths[0] == pytest.approx(widths[1], rel=1e-2)
    assert widths[1] < widths[2] < widths[3]


def test_right_and_wrong_are_shares_of_one_and_nothing():
    right, labels = np.random.default_rng(0).random((3, 50)) < 0.7, np.arange(50) % 2
    assert corrected(right, labels, np.arange(50), seed=4) == corrected(
        right.astype(float), labels, np.arange(50), seed=4
    )


def test_an_image_stays_one_image_however_often_it_was_answered():
    """Draws that agree tell nothing new; as images of their own they would make guesses look like knowledge."""
    right, labels = np.random.default_rng(1).random((20, 60)) < 0.5, np.arange(60) % 2
    once = corrected(right, labels, np.arange(60), seed=1)
    thrice = corrected(np.mean([right] * 3, axis=0), labels, np.arange(60), seed=1)
    assert thrice.value == pytest.approx(once.value)
    apart = corrected(np.tile(right, 3), np.tile(labels, 3), np.arange(180), seed=1)
    assert apart.value > once.value + 0.05
