"""The guide's strategies and the names of regions."""

import pytest
from points import point
from pydantic import ValidationError

from frostline.config.types import GUIDE
from frostline.training.settings import guide_depth, strategy_of


@pytest.mark.parametrize("depth", [2, 5, 13, 17, 51])
@pytest.mark.parametrize("strategy", GUIDE)
def test_each_guide_strategy_lies_in_its_own_region(strategy: str, depth: int) -> None:
    init, keep, freeze_depth = guide_depth(strategy, depth)
    assert 1 <= keep <= depth
    assert strategy_of(point(init=init, keep=keep, freeze_depth=freeze_depth), depth) == strategy


@pytest.mark.parametrize(("keep", "freeze_depth"), [(5, 4), (5, 1), (3, 0), (4, 2)])
def test_what_the_guide_does_not_name_is_a_partial_fine_tune(keep: int, freeze_depth: int) -> None:
    assert strategy_of(point(keep=keep, freeze_depth=freeze_depth), depth=5) == "partial_fine_tune"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"keep": 3}, "freeze_depth must be at most keep, 3, but got 4"),
        ({"init": "random", "freeze_depth": 1}, "freeze_depth must be 0 with random weights, but got 1"),
        ({"keep": 0, "freeze_depth": 0}, "greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
        ({"thaw": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_point_outside_the_space_is_refused(changes: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        point(**changes)


def test_start_of_convnet_keeps_pool4_of_vgg16() -> None:
    assert guide_depth("start_of_convnet", 5) == ("pretrained", 4, 4)
