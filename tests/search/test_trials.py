"""What is read off finished trials."""

import math

import optuna
import pytest
from made_trials import made, settings
from optuna.trial import FrozenTrial, TrialState

from frostline.search.trials import (
    COST,
    NUMBER,
    REASON,
    SETTLED,
    finished_before,
    finished_trials,
    importances,
    settings_of,
    trial_table,
)
from frostline.training.metrics import LOSS, SCORE
from frostline.training.settings import TrialSettings


def pruned(number: int, **attributes: object) -> FrozenTrial:
    """Its best epoch by loss is the second of three; another's score is higher by luck."""
    history = [{SCORE: score, LOSS: loss} for score, loss in ((0.5, 0.9), (0.6, 0.3), (0.7, 0.8))]
    return made(number, 0.7, settings(5, 1), state=TrialState.PRUNED, history=history, **attributes)


def test_settings_are_what_the_trial_ran_with() -> None:
    assert settings_of(made(1, 0.5, settings(4, 2))) == settings(4, 2)
    assert settings_of(made(1, 0.5, settings(4, reads=3))) == settings(4, reads=3)


def test_the_table_has_a_row_a_trial_by_number() -> None:
    failed = made(2, None, settings(5, 5), state=TrialState.FAIL, cost=80, **{REASON: "the loss became nan"})
    table = trial_table([made(3, 0.8, settings(4, reads=2)), pruned(1, cost=40), failed])
    assert table["trial"].tolist() == [1, 2, 3]
    assert table["state"].tolist() == ["pruned", "failed", "complete"]
    assert table["group"].tolist() == ["last block", "all blocks", "heads"]
    assert table["settled"].tolist() == [False, False, True]
    assert table[COST].tolist() == [40, 80, 0]
    assert table["blocks"].tolist() == ["5", "5", "3,4"]
    assert table[["keep", "thaw", "freeze_depth"]].to_numpy().tolist() == [[5, 1, 4], [5, 5, 0], [4, 0, 4]]
    assert table["reason"].tolist() == ["", "the loss became nan", ""]
    assert table["value"].tolist()[::2] == [0.6, 0.8]
    assert math.isnan(table["value"][1])


def test_a_pruned_trial_has_the_score_of_its_best_epoch_and_neither_its_luckiest_nor_what_optuna_has() -> None:
    trial = pruned(1)
    trial.value = 0.99
    assert trial_table([trial])["value"].tolist() == [0.6]


def test_a_trial_that_settled_before_it_lost_says_so() -> None:
    assert trial_table([pruned(1, **{SETTLED: True})])["settled"].tolist() == [True]


def test_a_trial_that_failed_before_it_had_settings_has_a_row() -> None:
    failed = optuna.create_trial(state=TrialState.FAIL, user_attrs={NUMBER: 1, REASON: "memory ran out"})
    (row,) = trial_table([failed]).to_dict("records")
    assert (row["state"], row["reason"], row["group"], row["keep"]) == ("failed", "memory ran out", None, None)


def test_interrupted_trials_do_not_count_and_a_trial_knows_of_none_after_it() -> None:
    study = optuna.create_study(direction="maximize")
    study.add_trials([made(3), made(1), made(2, None, state=TrialState.FAIL), made(2, 0.6), made(4, 0.9)])
    assert [trial.user_attrs[NUMBER] for trial in finished_trials(study)] == [1, 2, 3, 4]
    assert [trial.value for trial in finished_before(study, 3)] == [0.7, 0.6]


@pytest.mark.parametrize(("heads", "names"), [(3, 0), (8, 4)])
def test_importances_are_of_the_parameters_of_heads(heads: int, names: int) -> None:
    study = optuna.create_study(direction="maximize")
    ranges = {name: optuna.distributions.IntDistribution(1, 9) for name in ("keep", "reads", "pooling", "views")}
    for number in range(1, heads + 1):
        params = {"keep": number, "reads": number * 5 % 9 + 1, "pooling": number * 7 % 9 + 1, "views": 1 + number % 2}
        study.add_trial(
            optuna.create_trial(
                value=number / 10, params=params, distributions=ranges, user_attrs=made(number).user_attrs
            )
        )
    thawed = {"thawed_keep": optuna.distributions.IntDistribution(1, 9)}
    study.add_trial(
        optuna.create_trial(value=0.1, params={"thawed_keep": 3}, distributions=thawed, user_attrs=made(20).user_attrs)
    )
    found = importances(study, seed=1)
    assert len(found) == names
    if names:
        assert sum(found.values()) == pytest.approx(1)
        assert list(found.values()) == sorted(found.values(), reverse=True)


def test_the_table_tells_the_members_of_an_ensemble_in_words():
    members = (
        {"blocks": (4, 5), "pooling": "both", "share": 0.7},
        {"blocks": (3,), "pooling": "average", "share": 0.3},
    )
    point = settings(5).model_copy(update={"blocks": (3, 4, 5)}).model_dump() | {"members": members}
    table = trial_table([made(1), made(2, point=TrialSettings.model_validate(point))])
    assert table["members"].tolist() == ["", "0.7: 4,5 both; 0.3: 3 average"]
    assert "model_fields" not in table.to_json(orient="split")
