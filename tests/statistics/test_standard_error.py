"""How sure a score is, and a difference of scores, by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.statistics.standard_error import (
    effective_sample_size,
    one_standard_error_below,
    paired_standard_error,
    standard_error,
)

SIMULATIONS = 1500


def answers(rng, images, recalls, group=1, alike=0.0):
    """Right answers, labels and groups; images of a group share an answer with the chance `alike`."""
    labels = np.repeat(np.arange(len(images)), images)
    groups = np.arange(len(labels)) // group
    shared, own = rng.random(len(labels))[groups], rng.random(len(labels))
    drawn = np.where((rng.random(len(labels)) < alike), shared, own)
    return drawn < np.array(recalls)[labels], labels, groups


def balanced(right, labels):
    return np.mean([right[labels == name].mean() for name in np.unique(labels)])


@pytest.mark.parametrize(
    ("images", "recalls"),
    [
        ((190, 10), (0.8, 0.8)),
        ((190, 10), (0.95, 0.6)),
        ((50, 50), (0.8, 0.8)),
        ((3, 60), (0.7, 0.9)),
        ((10,) * 10, tuple(np.linspace(0.5, 0.95, 10))),
    ],
)
def test_it_is_how_much_scores_of_other_images_differ(images, recalls):
    rng = np.random.default_rng(1)
    drawn = [answers(rng, images, recalls) for _ in range(SIMULATIONS)]
    truth = np.std([balanced(right, labels) for right, labels, _ in drawn])
    claimed = np.sqrt(np.mean([standard_error(*each) ** 2 for each in drawn]))
    assert claimed == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(("group", "alike"), [(4, 1.0), (4, 0.5), (10, 0.6)])
def test_images_of_a_group_count_for_as_much_as_they_tell(group, alike):
    rng = np.random.default_rng(2)
    drawn = [answers(rng, (60, 60), (0.8, 0.8), group, alike) for _ in range(SIMULATIONS)]
    truth = np.std([balanced(right, labels) for right, labels, _ in drawn])
    claimed = np.sqrt(np.mean([standard_error(*each) ** 2 for each in drawn]))
    assert claimed == pytest.approx(truth, rel=0.15)


def test_190_to_10_images_are_not_as_sure_as_200():
    labels = np.repeat([0, 1], [190, 10])
    right = np.concatenate([np.arange(190) < 152, np.arange(10) < 8])
    assert standard_error(right, labels, np.arange(200)) == pytest.approx(0.068, abs=0.001)


@pytest.mark.parametrize(("images", "least"), [((50, 50), 0.009), ((190, 10), 0.03), ((1, 1), 0.2)])
def test_no_mistake_is_no_certainty(images, least):
    labels = np.repeat([0, 1], images)
    right = np.ones(len(labels), dtype=bool)
    assert standard_error(right, labels, np.arange(len(labels))) > least
    assert standard_error(~right, labels, np.arange(len(labels))) > least


def test_a_class_without_images_has_no_say():
    labels, right = np.array([0, 0, 3, 3]), np.array([True, False, True, True])
    one = standard_error(right, labels, np.arange(4))
    assert one == standard_error(right, np.array([0, 0, 1, 1]), np.arange(4))


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 5))
def test_copies_of_images_tell_nothing_and_single_images_are_images(right, copies):
    once = effective_sample_size(np.array(right), np.arange(len(right)))
    assert once == pytest.approx(len(right))
    groups = np.repeat(np.arange(len(right)), copies)
    assert effective_sample_size(np.repeat(right, copies), groups) == pytest.approx(once)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_images_are_worth_no_more_than_themselves_and_no_less_than_their_groups(drawn):
    right, groups = (np.array(each) for each in zip(*drawn, strict=True))
    sizes = np.unique(groups, return_counts=True)[1]
    worth = effective_sample_size(right, groups)
    assert len(right) ** 2 / (sizes**2).sum() - 1e-9 <= worth <= len(right) + 1e-9


@given(st.lists(st.integers(0, 3), min_size=2, max_size=40), st.integers(1, 4))
def test_answers_given_several_times_are_worth_no_more_than_images(thirds, size):
    correct, images = np.array(thirds) / 3, np.arange(len(thirds))
    sizes = np.unique(images // size, return_counts=True)[1]
    assert len(images) ** 2 / (sizes**2).sum() - 1e-9 <= effective_sample_size(correct, images // size)
    assert effective_sample_size(correct, images // size) <= len(images) + 1e-9


def test_a_mean_of_answers_is_no_surer_than_its_images():
    """Right twice in three times on each of 60 images, or always on 40 of them."""
    labels, images = np.arange(60) % 2, np.arange(60)
    always = np.arange(60) % 6 < 4
    assert standard_error(np.full(60, 2 / 3), labels, images) == pytest.approx(standard_error(always, labels, images))


def test_the_floor_is_a_standard_error_of_the_best_below_it():
    assert one_standard_error_below([0.6, 0.8, 0.7], [0.3, 0.04, 0.2]) == pytest.approx(0.76)


@pytest.mark.parametrize("errors", [[0.05, 0.02], [0.02, 0.05]])
def test_of_equal_scores_the_least_sure_counts(errors):
    assert one_standard_error_below([0.8, 0.8], errors) == pytest.approx(0.75)


@pytest.mark.parametrize(("group", "alike"), [(1, 0.0), (4, 1.0), (4, 0.5)])
def test_a_difference_is_as_sure_as_differences_on_other_images_show(group, alike):
    """Two candidates that are right on mostly the same images."""
    rng, claimed, found = np.random.default_rng(3), [], []
    for _ in range(SIMULATIONS):
        one, labels, groups = answers(rng, (60, 30), (0.8, 0.7), group, alike)
        changed, _, _ = answers(rng, (60, 30), (0.15, 0.3), group, alike)
        other = one ^ changed
        difference = one.astype(float) - other
        found.append(balanced(one, labels) - balanced(other, labels))
        claimed.append(paired_standard_error(difference, labels, groups))
    assert np.sqrt(np.mean(np.square(claimed))) == pytest.approx(np.std(found), rel=0.1)


@given(st.lists(st.tuples(st.sampled_from([-1.0, -0.5, 0.0, 1.0]), st.integers(0, 2)), min_size=1, max_size=40))
def test_without_groups_it_is_the_plain_formula(drawn):
    """The root of the summed variances of the classes' mean differences, over the number of classes."""
    difference, labels = (np.array(each) for each in zip(*drawn, strict=True))
    of_classes = [difference[labels == name] for name in np.unique(labels)]
    plain = np.sqrt(sum(each.var() / len(each) for each in of_classes)) / len(of_classes)
    assert paired_standard_error(difference, labels, np.arange(len(labels))) == pytest.approx(plain)


@given(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.5]), st.integers(0, 1)), min_size=1, max_size=20))
def test_neither_copies_nor_a_change_of_sides_make_a_difference_surer(drawn):
    difference, labels = (np.array(each) for each in zip(*drawn, strict=True))
    groups = np.arange(len(labels))
    once = paired_standard_error(difference, labels, groups)
    copied = [np.repeat(each, 3) for each in (difference, labels, groups)]
    assert paired_standard_error(*copied) == pytest.approx(once)
    assert paired_standard_error(-difference, labels, groups) == pytest.approx(once)
    assert paired_standard_error(np.zeros(len(labels)), labels, groups) == 0
