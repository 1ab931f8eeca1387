"""A study's trials as settings, as a table, and by what the guide made of them."""

from collections.abc import Sequence

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from frostline.search.study import POSITION, REASON, STANDARD_ERROR
from frostline.training.settings import TrialSettings
from frostline.training.trial import SCORE, best_epoch

__all__ = ["best_of_first", "importances", "settings_of", "trial_table"]

_ENOUGH = 4
_SETTINGS = tuple(TrialSettings.__dataclass_fields__)


def settings_of(trial: FrozenTrial) -> TrialSettings:
    """The settings that `trial` ran with."""
    return TrialSettings(**{field: trial.user_attrs[field] for field in _SETTINGS})


def best_of_first(trials: Sequence[FrozenTrial], first: Sequence[str], wanted: Sequence[str]) -> FrozenTrial | None:
    """Of the trials that began the study with the strategies `first`, the highest complete one with a `wanted` one.

    Of equals the first in position, so that one that was interrupted and ran again is not passed over.
    """
    positions = {position for position, strategy in enumerate(first) if strategy in wanted}
    candidates = [
        trial for trial in trials if trial.state == TrialState.COMPLETE and trial.user_attrs[POSITION] in positions
    ]
    return max(candidates, key=lambda trial: (trial.values[0], -trial.user_attrs[POSITION]), default=None)


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
    """One row a trial, in order of position.

    Position (from 1), strategy, score, its standard error, best epoch, state, seconds, settings, reason.
    """
    rows = []
    for trial in sorted(trials, key=lambda trial: trial.user_attrs[POSITION]):
        history = trial.user_attrs.get("history", [])
        reached = history[best_epoch(history) - 1][SCORE] if history else float("nan")
        rows.append(
            {
                "position": trial.user_attrs[POSITION] + 1,
                "strategy": trial.user_attrs.get("strategy"),
                # Optuna takes what a pruned trial reported last for its value: of folds, a certainty, not a score.
                "value": trial.value if trial.state == TrialState.COMPLETE else reached,
                STANDARD_ERROR: trial.user_attrs.get(STANDARD_ERROR),
                "epochs": trial.user_attrs.get("epochs", len(history)),
                "state": {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed"),
                "seconds": trial.duration.total_seconds() if trial.duration else 0.0,
                "freeze_depth": trial.user_attrs.get("freeze_depth"),
            }
            | {field: trial.user_attrs.get(field) for field in _SETTINGS}
            | {"reason": trial.user_attrs.get(REASON, "")}
        )
    return pd.DataFrame(rows)
