"""Points of the search space: what is refused, what a head is, and the names of regions."""

import pytest
from points import RATES, head, point
from pydantic import ValidationError

from frostline.config.types import GUIDE
from frostline.training.settings import GROUPS, Member, group_of, guide_depth, strategy_of

MEMBERS = (Member(blocks=(2,), pooling="both", share=0.4), Member(blocks=(2, 5), pooling="average", share=0.6))


@pytest.mark.parametrize("depth", [2, 5, 13, 17, 51])
@pytest.mark.parametrize("strategy", GUIDE)
def test_each_guide_strategy_lies_in_its_own_region(strategy: str, depth: int) -> None:
    init, keep, freeze_depth = guide_depth(strategy, depth)
    assert 1 <= keep <= depth
    make = head if freeze_depth == keep else point
    settings = make(blocks=(keep,)) if make is head else point(init=init, blocks=(keep,), freeze_depth=freeze_depth)
    assert strategy_of(settings, depth) == strategy


@pytest.mark.parametrize(("blocks", "freeze_depth"), [((5,), 4), ((2, 5), 1), ((3,), 0), ((1, 4), 2)])
def test_what_the_guide_does_not_name_is_a_partial_fine_tune(blocks: tuple[int, ...], freeze_depth: int) -> None:
    assert strategy_of(point(blocks=blocks, freeze_depth=freeze_depth), depth=5) == "partial_fine_tune"


@pytest.mark.parametrize(
    ("settings", "group"),
    [
        (head(blocks=(2, 5)), "heads"),
        (point(blocks=(3, 5), freeze_depth=4), "last block"),
        (point(blocks=(5,), freeze_depth=1), "some blocks"),
        (point(blocks=(1,), freeze_depth=0), "all blocks"),
        (point(init="random", freeze_depth=0), "random weights"),
    ],
)
def test_a_point_is_in_the_group_of_its_depth(settings, group) -> None:
    assert group_of(settings) == group
    assert group in GROUPS


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"blocks": (3,)}, "freeze_depth must be at most keep, 3, but got 4"),
        ({"blocks": (5, 3)}, r"blocks must ascend, each once, but got \[5, 3\]"),
        ({"blocks": (3, 3, 5)}, r"blocks must ascend, each once, but got \[3, 3, 5\]"),
        ({"blocks": ()}, "at least 1 item"),
        ({"blocks": (0,), "freeze_depth": 0}, "greater than or equal to 1"),
        ({"init": "random", "freeze_depth": 1}, "freeze_depth must be 0 with random weights, but got 1"),
        ({"test_views": "flips"}, "test_views must be mirror or identity, but got flips"),
        ({"dropout": 1.0}, "less than 1"),
        ({"members": MEMBERS}, r"members read blocks \[2, 5\], pooled both ways, but got \[5\]"),
        ({"members": MEMBERS, "blocks": (2, 5), "pooling": "average"}, "pooled both ways"),
        ({"dropout": None}, r"rates and dropout are for thawed blocks: 1 are thawed, but got \[0.0003, 0.0001, None\]"),
        ({"freeze_depth": 5}, "rates and dropout are for thawed blocks: 0 are thawed"),
        ({"thaw": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_point_outside_the_space_is_refused(changes: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        point(**changes)


def test_heads_that_vote_are_an_ensemble_until_blocks_are_thawed() -> None:
    assert strategy_of(head(blocks=(2, 5), members=MEMBERS), depth=5) == "ensemble"
    assert strategy_of(point(blocks=(2, 5), members=MEMBERS), depth=5) == "partial_fine_tune"
    assert group_of(head(blocks=(2, 5), members=MEMBERS)) == "heads"


def test_depths_are_those_of_the_last_block_that_is_read() -> None:
    settings = point(blocks=(1, 3, 5), freeze_depth=2)
    assert (settings.keep, settings.thaw) == (5, 3)


def test_the_head_of_a_point_is_what_predicts_alike_with_all_blocks_frozen() -> None:
    expected = head(blocks=(2, 5), views="flips")
    assert expected.head == expected
    for changes in ({"freeze_depth": 1, "dropout": 0.5}, {"init": "random", "freeze_depth": 0}):
        assert point(blocks=(2, 5), views="flips", **changes).head == expected
    by_itself = head(blocks=(2, 5), views="identity")
    assert point(blocks=(2, 5), views="flips", test_views="identity").head == by_itself != expected


def test_a_run_shows_rates_where_there_are_any() -> None:
    shown = head(blocks=(2, 5)).params()
    assert (shown["keep"], shown["thaw"], shown["blocks"]) == (5, 0, "2,5")
    assert not shown.keys() & {*RATES, "members"}
    assert (shown["heads"], head(blocks=(2, 5), members=MEMBERS).params()["heads"]) == (1, 2)
    assert RATES.items() <= point().params().items()


def test_start_of_convnet_keeps_pool4_of_vgg16_or_what_the_probe_says() -> None:
    assert guide_depth("start_of_convnet", 5) == ("pretrained", 4, 4)
    assert guide_depth("start_of_convnet", 5, cut=2) == ("pretrained", 2, 2)
