"""What is recorded of a study's outcome, of trials that its budget ended."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_trials import made, settings
from optuna.trial import TrialState

from frostline.records.train_record import GuideTrial
from frostline.search.outcome import Outcome
from frostline.search.trials import SETTLED
from frostline.statistics.interval import Interval
from frostline.training.cell import Cell

FOLDS, HELD = 5, 4
GUIDE = settings(5, 5)


def outcome(winner, guide=None) -> Outcome:
    rows = np.arange(FOLDS * HELD)
    folds = tuple((np.setdiff1d(rows, held), held) for held in rows.reshape(FOLDS, HELD))
    profile = SimpleNamespace(regime="large-similar", strategies=("fine_tune",))
    plan = SimpleNamespace(cell=Cell(None, rows, (folds,)), inputs=SimpleNamespace(profile=profile))
    return Outcome(plan, winner, guide, Interval(value=0.7, low=0.6, high=0.8), pd.DataFrame(), (), {})


@pytest.mark.parametrize(
    ("images", "scheme"),
    [(20, "5-fold"), (4, "5-fold; the winner by 1 of 5 folds"), (16, "5-fold; the winner by 4 of 5 folds")],
)
def test_how_many_folds_judged_the_winner_is_said(images: int, scheme: str) -> None:
    assert outcome(made(1, correct=np.ones(images))).scheme == scheme


@pytest.mark.parametrize(
    ("state", "settled", "complete"),
    [(TrialState.COMPLETE, True, True), (TrialState.COMPLETE, False, False), (TrialState.PRUNED, False, False)],
)
def test_a_guides_trial_is_complete_if_it_was_trained_to_its_end(state, settled: bool, complete: bool) -> None:
    guide = made(2, 0.6, GUIDE, state=state, **{SETTLED: settled})
    found = outcome(made(1), guide).guide_trial
    assert (found.complete, found.validation, found.trial, found.settings) == (complete, 0.6, 2, GUIDE)


def test_a_head_of_the_guides_is_complete_and_none_is_not() -> None:
    assert outcome(made(1), made(1)).guide_trial.complete
    assert outcome(made(1)).guide_trial == GuideTrial(
        regime="large-similar", recommended=("fine_tune",), strategy=None, trial=None, complete=False, validation=None
    )
