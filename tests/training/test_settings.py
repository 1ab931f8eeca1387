"""The guide's strategies and the names of regions."""

import pytest

from frostline.config.types import GUIDE
from frostline.training.settings import guide_depth, strategy_of


@pytest.mark.parametrize("depth", [2, 5, 13, 17, 51])
@pytest.mark.parametrize("strategy", GUIDE)
def test_each_guide_strategy_lies_in_its_own_region(strategy: str, depth: int) -> None:
    init, keep, thaw = guide_depth(strategy, depth)
    assert 1 <= keep <= depth
    assert 0 <= thaw <= keep
    assert strategy_of(init, keep, thaw, depth) == strategy


@pytest.mark.parametrize(("keep", "thaw"), [(5, 1), (5, 4), (3, 3), (4, 2)])
def test_what_the_guide_does_not_name_is_a_partial_fine_tune(keep: int, thaw: int) -> None:
    assert strategy_of("pretrained", keep, thaw, depth=5) == "partial_fine_tune"


def test_start_of_convnet_keeps_pool4_of_vgg16() -> None:
    assert guide_depth("start_of_convnet", 5) == ("pretrained", 4, 0)
