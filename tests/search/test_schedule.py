"""The order of a study, and what each trial may cost."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_trials import CONFIG, DEPTH, made, settings
from optuna.trial import FixedTrial, TrialState

from frostline.config.effort import ACCELERATED, Effort
from frostline.config.types import GUIDE
from frostline.search.schedule import Schedule
from frostline.search.trials import settings_of
from frostline.training.settings import GROUPS, Member, group_of, strategy_of

HEADS, IMAGES = 5, 1200.0
THAWED = HEADS + 2
"""The first trial that thaws blocks, after the heads and their ensemble."""


def schedule(thawed: int = 6, depth: int = DEPTH, cut: int | None = None, **changes: object) -> Schedule:
    effort = Effort(heads=HEADS, thawed=thawed, images=IMAGES)
    return Schedule(CONFIG.model_copy(update={"effort": effort, "startup_trials": 1} | changes), depth, cut)


def first_settings(plan: Schedule, number: int, finished=()):
    """What trial `number` runs with."""
    study = optuna.create_study()
    study.enqueue_trial(plan.point(number, finished, seed=1))
    return plan.suggest(study.ask(), number, finished)


def test_heads_come_first_and_the_guides_first_of_all() -> None:
    plan = schedule(cut=3)
    assert plan.trials == HEADS + 1 + 6
    every = range(1, plan.trials + 1)
    assert [number for number in every if plan.is_head(number)] == list(range(1, HEADS + 1))
    assert [number for number in every if plan.is_ensemble(number)] == [HEADS + 1]
    assert [number for number in every if plan.thaws(number)] == list(range(THAWED, plan.trials + 1))
    assert plan.point(HEADS + 1, (), seed=1) == {}
    guide = [first_settings(plan, number) for number in (1, 2)]
    assert [strategy_of(each, DEPTH) for each in guide] == ["end_of_convnet", "start_of_convnet"]
    assert [each.keep for each in guide] == [DEPTH, 3]


def test_each_depth_group_is_tried_once_before_any_is_tried_again() -> None:
    plan = schedule()
    finished = [made(number) for number in range(1, HEADS + 1)]
    tried = [first_settings(plan, THAWED + place, finished) for place in range(4)]
    assert [group_of(each) for each in tried] == list(GROUPS[1:])
    assert [strategy_of(each, DEPTH) for each in tried[2:]] == ["fine_tune", "retrain"]
    assert [each.backbone_learning_rate for each in tried] == [1e-4, 3e-5, 3e-5, 3e-5]
    assert {(each.head_learning_rate, each.dropout) for each in tried} == {(1e-4, 0.3)}


def test_the_last_block_and_about_half_of_all_are_thawed_before_the_guides_depths() -> None:
    assert schedule().depths == [(5, 4, False), (5, 2, False), (5, 0, False), (5, 0, True)]
    assert schedule(depth=17).depths[:2] == [(17, 16, False), (17, 8, False)]


def test_thawed_blocks_stand_under_the_best_head_of_what_they_keep_of_equals_the_first() -> None:
    best, other = settings(5, reads=3), settings(5, reads=2)
    finished = [made(3, 0.8, other), made(1, 0.6, settings(5)), made(2, 0.8, best), made(4, 0.9, settings(4))]
    assert first_settings(schedule(), THAWED, finished).blocks == best.blocks
    whole = first_settings(schedule(), THAWED + 2, finished)
    assert (whole.blocks, strategy_of(whole, DEPTH)) == ((3, 4, 5), "fine_tune")
    member = Member(blocks=best.blocks, pooling="both", share=1)
    ensemble = made(HEADS + 1, 0.95, best.model_copy(update={"members": (member,)}))
    lost = made(5, None, settings(5), state=TrialState.FAIL)
    thawed = made(6, 0.99, settings(5, 1))
    found = first_settings(schedule(), THAWED + 3, [*finished, ensemble, lost, thawed])
    assert (found.blocks, found.members) == (best.blocks, ())


def test_what_was_tried_is_not_proposed_again() -> None:
    """A backbone of two blocks has few heads: forty proposals are all of them."""
    config = CONFIG.model_copy(update={"pooling": ("average", "maximum"), "views": ("identity",)})
    plan = Schedule(config.model_copy(update={"startup_trials": 3}), 2, None)
    finished: list[optuna.trial.FrozenTrial] = []
    for number in range(1, 7):
        point = plan.suggest(FixedTrial(plan.point(number, finished, seed=number)), number, finished)
        finished.append(made(number, 0.5 + 0.01 * number, point))
    assert len({settings_of(trial) for trial in finished}) == 6


@pytest.mark.parametrize(("depth", "groups"), [(1, 2), (2, 3), (3, 4)])
def test_a_shallow_network_has_fewer_first_trials_and_none_twice(depth: int, groups: int) -> None:
    depths = schedule(depth=depth).depths
    assert len(depths) == len(set(depths)) == groups
    assert all(0 <= frozen < keep <= depth for keep, frozen, _ in depths)


@pytest.mark.parametrize("strategies", [("retrain",), ("end_of_convnet", "retrain"), ("start_of_convnet",)])
def test_just_the_strategies_that_were_asked_for_come_first(strategies: tuple[str, ...]) -> None:
    plan = schedule(strategies=strategies, startup_trials=1)
    assert plan.strategies == tuple(name for name in GUIDE if name in strategies)
    assert ((5, 0, True) in plan.depths) == ("retrain" in strategies)
    assert (5, 0, False) not in plan.depths


@given(st.lists(st.floats(0, 900), max_size=4))
def test_what_trials_have_trained_on_is_no_longer_left(costs: list[float]) -> None:
    heads = [made(number) for number in range(1, HEADS + 1)]
    thawed = [made(THAWED + each, 0.5, settings(5, 1), cost=cost) for each, cost in enumerate(costs)]
    assert schedule().left(heads + thawed) == pytest.approx(IMAGES - sum(costs))


def test_the_cheapest_depths_come_first() -> None:
    """So that what a study may train on decides as many as can be."""
    pretrained = [frozen for _, frozen, random in schedule().depths if not random]
    assert pretrained == sorted(pretrained, reverse=True)


@pytest.mark.parametrize(("spent", "ends"), [(IMAGES - 1, THAWED + 6), (IMAGES, THAWED + 3)])
def test_each_depth_is_begun_but_not_from_random_weights_once_nothing_is_left(spent: float, ends: int) -> None:
    finished = [made(number) for number in range(1, HEADS + 1)] + [made(THAWED, 0.5, settings(5, 1), cost=spent)]
    plan = schedule()
    assert next(number for number in range(1, 20) if plan.is_over(number, finished)) == ends


def test_failed_and_pruned_trials_count_for_what_they_trained_on_and_heads_for_nothing() -> None:
    finished = [
        made(1),
        made(6, None, settings(5, 1), state=TrialState.FAIL, cost=100),
        made(7, 0.4, settings(5, 1), state=TrialState.PRUNED, cost=50),
    ]
    assert schedule().left(finished) == IMAGES - 150


def test_an_accelerator_trains_on_more(monkeypatch) -> None:
    monkeypatch.setattr("frostline.search.schedule.accelerators", lambda: ("gpu:0",))
    assert schedule().images == ACCELERATED * IMAGES


def test_later_trials_are_proposed_by_their_own_kind_alone() -> None:
    """More heads change no proposal for thawed blocks, and more thawed trials none for heads."""
    plan = schedule(thawed=9)
    heads, thawed = [], []
    for number in (each for each in range(1, THAWED + 7) if not plan.is_ensemble(each)):
        finished = heads + thawed
        study = optuna.create_study(direction="maximize")
        study.enqueue_trial(plan.point(number, finished, seed=number), user_attrs=made(number).user_attrs)
        trial = study.ask()
        trial.set_user_attr("settings", plan.suggest(trial, number, finished).model_dump(mode="json"))
        study.tell(trial, 0.5 + 0.01 * number)
        (heads if plan.is_head(number) else thawed).append(study.trials[0])
    last = THAWED + 7
    assert plan.point(last, heads + thawed, seed=3) == plan.point(last, heads[:2] + thawed, seed=3)
    assert plan.point(HEADS, heads[:4], seed=3) == plan.point(HEADS, heads[:4] + thawed, seed=3)
    assert set(plan.point(last, heads + thawed, seed=3)) == set(thawed[0].params)
