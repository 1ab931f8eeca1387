"""What is read off finished trials."""

import math

import optuna
from optuna.trial import FrozenTrial, TrialState

from frostline.search.trials import settings_of, trial_table
from frostline.training.settings import TrialSettings
from frostline.training.trial import SCORE, STANDARD_ERROR

SETTINGS = TrialSettings(
    init="pretrained",
    keep=5,
    freeze_depth=5,
    head_learning_rate=1e-3,
    backbone_learning_rate=1e-5,
    weight_decay=1.0,
    dropout=0.3,
    pooling="both",
    views="mirror",
)
FIRST = ("fine_tune", "retrain", "end_of_convnet")


def _epoch(score: float) -> dict[str, float]:
    return {SCORE: score, STANDARD_ERROR: 0.03}


def trial(number: int, value: float | None, state: TrialState = TrialState.COMPLETE) -> FrozenTrial:
    return optuna.trial.create_trial(
        value=value if state == TrialState.COMPLETE else None,
        state=state,
        user_attrs=SETTINGS.model_dump()
        | {"trial": number, "strategy": "end_of_convnet"}
        | {"history": [] if value is None else [_epoch(value + 0.02), _epoch(value), _epoch(value - 0.1)]},
    )


def test_settings_are_what_the_trial_ran_with() -> None:
    assert settings_of(trial(1, 0.5)) == SETTINGS


def test_the_table_has_a_row_a_trial_by_number() -> None:
    table = trial_table([trial(3, 0.8), trial(1, 0.6, TrialState.PRUNED), trial(2, None, TrialState.FAIL)])
    assert table["trial"].tolist() == [1, 2, 3]
    assert table["state"].tolist() == ["pruned", "failed", "complete"]
    assert table["value"].tolist()[0] == 0.6
    assert math.isnan(table["value"].tolist()[1])
    assert table["keep"].tolist() == [5, 5, 5]


def test_a_pruned_trial_has_its_settled_score_and_neither_its_luckiest_nor_what_it_reported_last() -> None:
    pruned = trial(1, 0.6, TrialState.PRUNED)
    pruned.value = 0.99
    assert trial_table([pruned])["value"].tolist() == [0.6]
