"""What a study says of each depth group, and what it takes to decide one."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from made_trials import made, settings
from optuna.trial import FrozenTrial, TrialState

from frostline.search.groups import group_results
from frostline.search.trials import COST, SETTLED
from frostline.training.metrics import LOSS, SCORE
from frostline.training.settings import GROUPS


def trainer(depth: int = 5) -> SimpleNamespace:
    """Folds of 80 images; each block costs as much as another."""
    backbone = SimpleNamespace(depth=depth, flops_per_block=lambda: [1.0] * depth)
    return SimpleNamespace(backbone=backbone, cell=SimpleNamespace(training_images=400, folds=range(5)))


def timed(trial: FrozenTrial, seconds: float, epochs: int) -> FrozenTrial:
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=seconds)
    trial.user_attrs["history"] = [{LOSS: 0.5, SCORE: 0.6}] * epochs
    return trial


def results(*finished: FrozenTrial, depth: int = 5):
    return {found.group: found for found in group_results(finished, trainer(depth))}


def test_every_group_has_its_result_and_its_best_complete_trial_counts() -> None:
    found = results(
        made(1, 0.7),
        made(2, 0.8, settings(4)),
        made(3, 0.75, settings(5, 1)),
        made(4, 0.9, settings(5, 2), state=TrialState.PRUNED),
        made(5, None, settings(5, 5, "random"), state=TrialState.FAIL),
    )
    assert tuple(found) == GROUPS
    assert [each.trials for each in found.values()] == [2, 1, 1, 0, 1]
    assert [each.score for each in found.values()] == [0.8, 0.75, None, None, None]
    assert [each.decided for each in found.values()] == [True, True, False, False, False]


def test_a_trial_that_settled_decides_although_it_lost() -> None:
    lost = made(3, 0.6, settings(5, 2), state=TrialState.PRUNED, **{SETTLED: True})
    found = results(made(1), lost)["some blocks"]
    assert (found.decided, found.score, found.minutes) == (True, None, None)


def test_a_trial_that_failed_after_it_had_settled_decides_nothing() -> None:
    failed = made(3, 0.6, settings(5, 2), state=TrialState.FAIL, **{SETTLED: True})
    assert not results(made(1), failed)["some blocks"].decided


def test_a_trial_that_was_given_up_decides_nothing() -> None:
    unsettled = made(3, 0.6, settings(5, 5), **{SETTLED: False})
    found = results(made(1), unsettled)["all blocks"]
    assert (found.decided, found.score) == (False, 0.6)


@pytest.mark.parametrize(("depth", "groups"), [(1, 3), (2, 4), (3, 5)])
def test_a_backbone_has_just_the_groups_that_its_blocks_allow(depth: int, groups: int) -> None:
    assert len(results(depth=depth)) == groups


def test_without_a_trial_that_thaws_blocks_nobody_knows_how_long_it_takes() -> None:
    assert results(made(1))["last block"].minutes is None


def test_the_minutes_are_those_of_the_epochs_that_are_missing_at_the_pace_so_far() -> None:
    """A second an image. 80 images an epoch, a fifth of the blocks: 16 seconds for the last block, 80 for all."""
    pruned = made(3, 0.6, settings(5, 5), state=TrialState.PRUNED, cost=400)
    found = results(made(1), timed(pruned, 400, epochs=5))
    assert found["all blocks"].minutes == pytest.approx((15 - 5) * 80 / 60)
    assert found["last block"].minutes == pytest.approx(15 * 16 / 60)
    assert found["random weights"].minutes == pytest.approx(15 * 80 / 60)


def test_where_trials_took_longer_to_settle_others_are_given_as_long() -> None:
    settled = timed(made(2, 0.8, settings(5, 1), cost=400), 400, epochs=25)
    pruned = timed(made(3, 0.6, settings(5, 5), state=TrialState.PRUNED, cost=400), 400, epochs=24)
    found = results(made(1), settled, pruned)
    assert found["all blocks"].minutes == pytest.approx(80 / 60)
    further = timed(made(3, 0.6, settings(5, 5), state=TrialState.PRUNED, cost=400), 400, epochs=40)
    assert results(made(1), settled, further)["all blocks"].minutes == pytest.approx(80 / 60)  # one more at least


def test_a_trial_that_failed_before_it_had_settings_is_left_out() -> None:
    failed = made(2, None, state=TrialState.FAIL)
    for name in ("settings", COST):
        del failed.user_attrs[name]
    assert results(made(1), failed)["heads"].trials == 1
