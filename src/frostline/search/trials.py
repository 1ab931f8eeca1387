"""A study's trials as settings, as a table, and by what the guide made of them."""

from collections.abc import Sequence

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from frostline.errors import SearchError
from frostline.search.study import NUMBER, REASON, STANDARD_ERROR, finished_trials
from frostline.statistics.standard_error import one_standard_error_below
from frostline.training.settings import TrialSettings
from frostline.training.trial import SCORE, best_epoch

__all__ = ["best_of_first", "best_trial", "importances", "settings_of", "trial_table"]

_ENOUGH = 4
_SETTINGS = tuple(TrialSettings.model_fields)


def settings_of(trial: FrozenTrial) -> TrialSettings:
    """The settings that `trial` ran with."""
    return TrialSettings(**{field: trial.user_attrs[field] for field in _SETTINGS})


def best_trial(study: optuna.Study, guide: FrozenTrial | None = None) -> FrozenTrial:
    """The complete trial to use, by scores and their standard errors (the user attribute STANDARD_ERROR).

    Of those within a standard error of the highest score (see statistics.standard_error) the `guide`'s, which nothing
    has then beaten; else the one that trains the fewest blocks, then keeps the fewest, then scores highest.
    Raises SearchError, with the reasons, if no trial is complete.
    """
    finished = finished_trials(study)
    complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    if not complete:
        reasons = {trial.user_attrs.get(REASON, trial.state.name.lower()) for trial in finished}
        raise SearchError(f"Study {study.study_name} has no complete trial. Its trials ended so: {'; '.join(reasons)}.")
    floor = one_standard_error_below(
        [trial.values[0] for trial in complete], [trial.user_attrs[STANDARD_ERROR] for trial in complete]
    )
    if guide and guide.values[0] >= floor:
        return guide
    return min(
        (trial for trial in complete if trial.values[0] >= floor),
        key=lambda trial: (settings_of(trial).thaw, settings_of(trial).keep, -trial.values[0]),
    )


def best_of_first(trials: Sequence[FrozenTrial], first: Sequence[str], wanted: Sequence[str]) -> FrozenTrial | None:
    """Of the trials that began the study with the strategies `first`, the highest complete one with a `wanted` one.

    Of equals the first by number, so that one that was interrupted and ran again is not passed over.
    """
    numbers = {number for number, strategy in enumerate(first, start=1) if strategy in wanted}
    candidates = [
        trial for trial in trials if trial.state == TrialState.COMPLETE and trial.user_attrs[NUMBER] in numbers
    ]
    return max(candidates, key=lambda trial: (trial.values[0], -trial.user_attrs[NUMBER]), default=None)


def importances(study: optuna.Study, seed: int) -> dict[str, float]:
    """How much of the score's variance each searched parameter explains, of sum 1, the largest first (fANOVA).

    Hutter et al. 2014, An Efficient Approach for Assessing Hyperparameter Importance. Empty where fewer than four
    trials were completed, or all with the same score.
    """
    scores = [trial.value for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])]
    if len(scores) < _ENOUGH or len(set(scores)) == 1:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def trial_table(trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """One row a trial, by number.

    Trial (its number, from 1), strategy, score, its standard error, best epoch, state, seconds, settings, reason.
    """
    rows = []
    for trial in sorted(trials, key=lambda trial: trial.user_attrs[NUMBER]):
        history = trial.user_attrs.get("history", [])
        reached = history[best_epoch(history) - 1][SCORE] if history else float("nan")
        rows.append(
            {
                "trial": trial.user_attrs[NUMBER],
                "strategy": trial.user_attrs.get("strategy"),
                # Optuna takes what a pruned trial reported last for its value: of folds, a certainty, not a score.
                "value": trial.value if trial.state == TrialState.COMPLETE else reached,
                STANDARD_ERROR: trial.user_attrs.get(STANDARD_ERROR),
                "epochs": trial.user_attrs.get("epochs", len(history)),
                "state": {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed"),
                "seconds": trial.duration.total_seconds() if trial.duration else 0.0,
            }
            | {field: trial.user_attrs.get(field) for field in _SETTINGS}
            | {"reason": trial.user_attrs.get(REASON, "")}
        )
    return pd.DataFrame(rows)
