"""Every suggestion is a legal point, and the guide's points are points of the space."""

import optuna
import pytest
from made_trials import CONFIG, DEPTH, settings

from frostline.config.types import GUIDE
from frostline.search.space import (
    HEAD_PARAMETERS,
    head_point,
    standard_rates,
    suggest_head,
    suggest_thawed,
    thawed_point,
)
from frostline.training.settings import group_of, guide_depth, strategy_of


def study() -> optuna.Study:
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))


@pytest.mark.parametrize("depth", [1, 5, 17])
def test_random_heads_are_legal_and_reach_everywhere(depth: int) -> None:
    trials, seen = study(), set()
    for _ in range(300):
        trial = trials.ask()
        found = suggest_head(trial, CONFIG, depth)
        assert set(trial.params) == set(HEAD_PARAMETERS)
        assert found.freeze_depth == found.keep == found.blocks[-1] <= depth
        assert found.blocks == tuple(range(found.blocks[0], found.keep + 1))
        assert found.test_views == found.views
        seen.add((len(found.blocks), found.keep))
    assert {(1, 1), (depth, depth)} <= seen


@pytest.mark.parametrize("depth", [1, 5, 17])
def test_random_points_that_thaw_blocks_are_legal_and_of_every_group(depth: int) -> None:
    trials, seen = study(), set()
    for _ in range(400):
        trial = trials.ask()
        found = suggest_thawed(trial, CONFIG, {}, depth)
        assert not set(trial.params) & set(HEAD_PARAMETERS)  # TPE would mix the two kinds up
        assert 1 <= found.thaw <= found.keep <= depth
        assert CONFIG.dropout[0] <= found.dropout <= CONFIG.dropout[1]
        assert CONFIG.head_learning_rate[0] <= found.head_learning_rate <= CONFIG.head_learning_rate[1]
        seen.add(group_of(found))
    every = {"last block", "some blocks", "all blocks", "random weights"}
    assert seen == (every if depth > 1 else {"all blocks", "random weights"})


def test_a_thawed_network_has_the_best_head_of_what_it_keeps() -> None:
    heads = {4: settings(4, reads=3), 5: settings(5).model_copy(update={"pooling": "maximum"})}
    trials = study()
    trials.enqueue_trial(thawed_point(4, 2, CONFIG))
    trials.enqueue_trial(thawed_point(3, 2, CONFIG))
    deep, none = (suggest_thawed(trials.ask(), CONFIG, heads, DEPTH) for _ in range(2))
    assert (deep.blocks, deep.pooling, deep.freeze_depth) == ((2, 3, 4), "both", 2)
    assert (none.blocks, none.pooling, none.freeze_depth) == ((3,), CONFIG.pooling[-1], 2)
    assert (deep.views, deep.test_views) == (CONFIG.views[-1], CONFIG.views[-1])


def test_test_views_may_be_the_picture_alone() -> None:
    alone = CONFIG.model_copy(update={"test_views": "identity"})
    assert suggest_thawed(study().ask(), alone, {}, DEPTH).test_views == "identity"
    trials = study()
    trials.enqueue_trial(head_point("end_of_convnet", alone, DEPTH, None))
    head = suggest_head(trials.ask(), alone, DEPTH)
    assert (head.views, head.test_views) == (CONFIG.views[-1], "identity")


@pytest.mark.parametrize("strategy", GUIDE)
def test_the_guides_points_are_what_the_trials_then_run(strategy: str) -> None:
    init, keep, freeze_depth = guide_depth(strategy, DEPTH, 3)
    trials = study()
    if freeze_depth == keep:
        trials.enqueue_trial(head_point(strategy, CONFIG, DEPTH, 3))
        found = suggest_head(trials.ask(), CONFIG, DEPTH)
    else:
        trials.enqueue_trial(thawed_point(keep, freeze_depth, CONFIG, random=init == "random"))
        found = suggest_thawed(trials.ask(), CONFIG, {}, DEPTH)
    assert (found.init, found.keep, found.freeze_depth) == (init, keep, freeze_depth)
    assert found.blocks == (keep,)
    assert strategy_of(found, DEPTH) == strategy


def test_other_ranges_leave_standard_rates_as_they_are_unless_they_leave_them_out() -> None:
    standard = standard_rates(CONFIG, 3)
    wider = CONFIG.model_copy(update={"head_learning_rate": (1e-5, 1e-2), "dropout": (0.1, 0.9)})
    assert standard_rates(wider, 3) == standard
    above = CONFIG.model_copy(update={"head_learning_rate": (0.01, 0.1), "dropout": (0.0, 0.2)})
    assert standard_rates(above, 3) == standard | {"head_learning_rate": 0.01, "dropout": 0.2}


def test_one_thawed_block_takes_longer_steps_than_several_unless_the_range_leaves_them_out() -> None:
    one, two = (standard_rates(CONFIG, thaw) for thaw in (1, 2))
    assert one == two | {"backbone_learning_rate": 1e-4}
    assert two["backbone_learning_rate"] < 1e-4
    below = CONFIG.model_copy(update={"backbone_learning_rate": (1e-6, 1e-5)})
    assert standard_rates(below, 1) == standard_rates(below, 2)
