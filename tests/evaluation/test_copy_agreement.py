import numpy as np
import pytest

from frostline.evaluation.agreement import compare


def test_what_a_copy_loses_is_measured_against_the_labels():
    labels = np.arange(200) % 2
    original = np.where(labels[:, None] == np.arange(2), 0.9, 0.1)
    copy = original.copy()
    copy[:20:2] = [0.4, 0.6]  # ten of class 0 are taken for the other
    untold = np.full(200, np.nan)
    found = compare(labels, (original, untold), (copy, untold), np.arange(200).astype(str), seed=1)
    assert (found.equal_known, found.strangeness_difference) == (None, None)
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
    told, copied = (original, np.ones(200)), (copy, np.where(labels, 1, 1.5))
    narrow, wide = (compare(labels, told, copied, groups, seed=1).loss for groups in (alone, together))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_what_both_call_known_is_counted():
    labels = np.arange(200) % 2
    answers = np.where(labels[:, None] == np.arange(2), 0.9, 0.1)
    strangeness = np.linspace(0, 2, 200)
    found = compare(labels, (answers, strangeness), (answers, strangeness + 0.1), labels.astype(str), seed=1)
    assert found.strangeness_difference == pytest.approx(0.1)
    assert found.equal_known == pytest.approx(0.95, abs=0.01)
