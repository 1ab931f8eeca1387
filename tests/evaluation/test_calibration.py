import numpy as np
import pytest

from frostline.evaluation.calibration import calibration_error, reliability

LABELS = np.array([0, 0, 1, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.45, 0.55]])


def test_the_error_is_the_mean_gap_between_confidence_and_accuracy():
    once = calibration_error(LABELS, PROBABILITIES, np.ones((1, 4)))
    assert once[0] == pytest.approx((3 * (0.9 - 2 / 3) + (1 - 0.55)) / 4)


def test_weights_are_how_often_each_image_counts():
    twice = np.concatenate([[0, 0], np.arange(4)])
    weighted = calibration_error(LABELS, PROBABILITIES, np.array([[3.0, 1, 1, 1]]))
    repeated = calibration_error(LABELS[twice], PROBABILITIES[twice], np.ones((1, 6)))
    assert weighted[0] == pytest.approx(repeated[0])


def test_bins_hold_every_image_once():
    bins = reliability(LABELS, PROBABILITIES)
    assert [(each.images, each.confidence, each.accuracy) for each in bins] == [
        (1, pytest.approx(0.55), 1.0),
        (3, pytest.approx(0.9), pytest.approx(2 / 3)),
    ]


def test_certainty_has_a_bin():
    (last,) = reliability(np.array([0]), np.array([[1.0, 0.0]]))
    assert (last.confidence, last.accuracy) == (1.0, 1.0)
