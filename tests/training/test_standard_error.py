"""The last epoch as good as the best, and how good that is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.training.standard_error import one_standard_error_below, settled_epoch


@given(best=st.floats(0, 1), images=st.integers(1, 10**6))
def test_the_floor_lies_below_the_best_and_rises_with_the_number_of_images(best, images):
    floor = one_standard_error_below(best, images)
    assert floor <= best
    assert floor <= one_standard_error_below(best, 4 * images)


def test_the_floor_is_the_binomial_standard_error_below():
    assert one_standard_error_below(0.8, 100) == pytest.approx(0.76)


@pytest.mark.parametrize(
    ("scores", "images", "epoch"),
    [
        ([0.5, 0.9, 0.7], 10_000, 2),
        ([0.5, 0.9, 0.89, 0.5], 100, 3),
        ([0.9], 1, 1),
        ([1.0, 0.99, 1.0, 0.5], 50, 3),
    ],
)
def test_the_settled_epoch_is_the_last_within_a_standard_error_of_the_best(scores, images, epoch):
    assert settled_epoch(scores, images) == epoch
