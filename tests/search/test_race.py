"""How long a trial goes on, against a trainer of known costs and a rival of known answers."""

from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_trials import settings

from frostline.search.race import Race, Rival
from frostline.training.metrics import LOSS, SCORE

FOLDS, IMAGES = 5, 20
POINT = settings(5, 1)


def trainer(folds: int = FOLDS) -> SimpleNamespace:
    """An epoch costs 100 on the first fold, 101 on the second, and so on."""
    cell = SimpleNamespace(folds=range(folds), validation_rows=np.arange(folds * IMAGES))
    return SimpleNamespace(cell=cell, cost=lambda _, fold: 100.0 + fold)


def rival(certainty: float = 0.5, folds: int = FOLDS) -> Rival:
    return Rival(3, np.full(folds * IMAGES, certainty, dtype=np.float32))


def race(left: float = 10_000, other: Rival | None = None, folds: int = FOLDS) -> Race:
    return Race(trainer(folds), POINT, other or rival(folds=folds), lambda: left)


def sure(value: float, folds: int = 1) -> np.ndarray:
    """What a trial gives of the images so far, around `value`."""
    return np.clip(value + np.linspace(-0.05, 0.05, folds * IMAGES), 0, 1).astype(np.float32)


def history(epochs: int) -> list[dict[str, float]]:
    return [{LOSS: 1 / (epoch + 1), SCORE: 0.6} for epoch in range(epochs)]


def trained(watcher: Race, value: float, most: int, settled_at: int = 0) -> int:
    """How many epochs on the first fold the watcher lets through, up to `most`."""
    for epoch in range(1, most + 1):
        settled = epoch == settled_at
        try:
            goes_on = watcher.epoch(history(epoch), sure(value), settled=settled)
        except optuna.TrialPruned:
            return epoch
        if settled or not goes_on:
            return epoch
    return most


@pytest.mark.parametrize("value", [0.4, 0.6])
def test_ahead_or_behind_it_may_take_what_is_left(value: float) -> None:
    watcher = race(left=750)
    assert trained(watcher, value, 20) == 7
    assert watcher.spent == 700
    assert len(watcher.history) == 7
    assert not watcher.settled


def test_who_is_ahead_ends_where_nothing_is_left() -> None:
    """It is judged by what it has; who is behind is dropped."""
    ahead, behind = race(left=150), race(left=150)
    assert not ahead.epoch(history(1), sure(0.9), settled=False)
    assert not ahead.fold(history(1), sure(0.9))
    with pytest.raises(optuna.TrialPruned, match=r"the budget ended it after epoch 3, before it had settled"):
        behind.epoch(history(3), sure(0.1), settled=False)


@pytest.mark.parametrize("left", [0.0, 99.0, 199.0])
def test_one_epoch_is_trained_in_any_case(left: float) -> None:
    watcher = race(left=left)
    assert trained(watcher, 0.9, 5) == 1
    assert watcher.spent == 100


def test_a_trial_that_settles_goes_on_to_the_other_folds_whatever_it_cost() -> None:
    watcher = race(left=500)
    assert trained(watcher, 0.9, 20, settled_at=5) == 5
    assert watcher.settled


@given(st.floats(0, 2000), st.floats(0.2, 0.8))
def test_the_first_fold_never_takes_more_than_is_left_but_for_its_first_epoch(left, value) -> None:
    watcher = race(left)
    trained(watcher, value, 50)
    assert watcher.spent <= max(100, left)


def test_without_a_rival_it_may_take_what_is_left() -> None:
    watcher = Race(trainer(), POINT, None, lambda: 1000)
    assert trained(watcher, 0.1, 50) == 10
    watcher = Race(trainer(), POINT, None, lambda: 101)
    assert watcher.fold(history(1), sure(0.1))
    assert watcher.spent == 101


def test_who_is_clearly_worse_ends_after_a_fold() -> None:
    watcher = race()
    with pytest.raises(optuna.TrialPruned, match=r"worse than trial 3 on 20 of 100 images \(Wilcoxon\)"):
        watcher.fold(history(4), sure(0.45))
    assert watcher.spent == 0
    assert len(watcher.history) == 4


@pytest.mark.parametrize("value", [0.5, 0.499, 0.6])
def test_who_is_as_good_goes_on_and_pays_for_every_fold(value: float) -> None:
    watcher = race()
    for fold in range(1, FOLDS):
        assert watcher.fold(history(4), sure(value, fold))
    assert watcher.spent == 4 * (101 + 102 + 103 + 104)


def test_all_folds_count_together() -> None:
    """Better on the first fold, and much worse on the next two."""
    watcher = race()
    assert watcher.fold(history(1), sure(0.52))
    with pytest.raises(optuna.TrialPruned, match="on 60 of 100 images"):
        watcher.fold(history(1), np.concatenate([sure(0.52), sure(0.3), sure(0.3)]))


def test_where_the_budget_ends_who_is_ahead_is_judged_by_the_folds_so_far() -> None:
    ahead, behind = race(left=250), race(left=250)
    for watcher in (ahead, behind):
        assert watcher.fold(history(2), sure(0.499))
    assert not ahead.fold(history(2), sure(0.6, 2))
    with pytest.raises(optuna.TrialPruned, match=r"the budget ended it after 2 of 5 folds"):
        behind.fold(history(2), sure(0.499, 2))
    assert ahead.spent == behind.spent == 202


def test_a_rival_that_some_folds_judged_is_met_on_their_images() -> None:
    short = rival(folds=1)
    much_worse_later = np.concatenate([sure(0.52), np.zeros(IMAGES, dtype=np.float32)])
    assert short.is_behind(much_worse_later)
    assert not short.beats(much_worse_later)
    assert short.beats(np.concatenate([sure(0.4), np.ones(IMAGES, dtype=np.float32)]))


def test_too_few_images_show_nothing_and_equal_answers_are_no_worse() -> None:
    assert not rival().beats(sure(0.1)[:7])
    assert rival().beats(sure(0.1)[:8])
    assert not rival().beats(np.full(IMAGES, 0.5, dtype=np.float32))


def test_what_is_no_number_beats_nobody() -> None:
    nothing = np.full(IMAGES, np.nan, dtype=np.float32)
    assert not rival().is_behind(nothing)
    assert trained(race(left=100), float("nan"), 10) == 1


def test_an_answer_that_is_certainly_wrong_is_a_number() -> None:
    none = np.zeros(IMAGES, dtype=np.float32)
    assert not rival().is_behind(none)
    assert rival(0.0).is_behind(sure(0.5))


def test_a_hold_out_is_judged_by_its_epochs_alone() -> None:
    """It has no other folds: who settles within the budget is complete, and has its score, worse or not."""
    watcher = race(left=300, folds=1)
    assert trained(watcher, 0.1, 20, settled_at=2) == 2
    assert watcher.spent == 200
    assert watcher.settled


def test_what_is_left_is_asked_for_at_each_epoch() -> None:
    others = iter([500, 500, 200])
    watcher = Race(trainer(), POINT, None, lambda: next(others))
    assert trained(watcher, 0.9, 20) == 3
    assert watcher.spent == 300


def test_who_begins_anew_has_spent_nothing() -> None:
    watcher = race()
    trained(watcher, 0.6, 3)
    watcher.fold(history(3), sure(0.6))
    watcher.begin()
    assert (watcher.history, watcher.spent, watcher.settled) == ([], 0, False)
    assert watcher.fold(history(1), sure(0.6))
    assert watcher.spent == 101
