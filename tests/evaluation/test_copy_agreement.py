import numpy as np
import pytest

from frostline.evaluation.agreement import compare


def test_what_a_copy_loses_is_measured_against_the_labels():
    labels = np.arange(200) % 2
    original = np.where(labels[:, None] == np.arange(2), 0.9, 0.1)
    copy = original.copy()
    copy[:20:2] = [0.4, 0.6]  # ten of class 0 are taken for the other
    found = compare(labels, original, copy, np.arange(200).astype(str), seed=1)
    assert (found.images, found.other_labels) == (200, 10)
    assert found.equal_labels == pytest.approx(0.95)
    assert found.largest_difference == pytest.approx(0.5)
    assert found.mean_difference == pytest.approx(0.5 * 10 / 200)
    assert (found.original_balanced_accuracy, found.balanced_accuracy) == (1, pytest.approx(0.95))
    assert found.loss.value == pytest.approx(0.05)
    assert 0.01 < found.loss.low < 0.05 < found.loss.high < 0.1


def test_a_group_counts_once_in_what_is_lost():
    labels = np.arange(200) % 2
    original = np.where(labels[:, None] == np.arange(2), 0.9, 0.1)
    copy = original.copy()
    copy[:20:2] = [0.4, 0.6]
    alone, together = np.arange(200), np.arange(200) // 20
    narrow, wide = (compare(labels, original, copy, groups, seed=1).loss for groups in (alone, together))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
