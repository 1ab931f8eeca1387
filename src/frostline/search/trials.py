"""A study's trials as settings, as answers, and as a table."""

from collections.abc import Sequence

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from frostline.search.study import NUMBER, REASON, RIGHT, STANDARD_ERROR
from frostline.training.settings import TrialSettings
from frostline.training.trial import SCORE, best_epoch

__all__ = ["answers_of", "importances", "packed_answers", "settings_of", "trial_table"]

_ENOUGH = 4
_SETTINGS = tuple(TrialSettings.model_fields)


def settings_of(trial: FrozenTrial) -> TrialSettings:
    """The settings that `trial` ran with."""
    return TrialSettings(**{field: trial.user_attrs[field] for field in _SETTINGS})


def answers_of(trial: FrozenTrial, images: int) -> NDArray[np.bool_]:
    """Which of so many validation images, fold after fold, the complete `trial` named rightly."""
    packed = np.frombuffer(bytes.fromhex(trial.user_attrs[RIGHT]), dtype=np.uint8)
    return np.unpackbits(packed, count=images).astype(bool)


def packed_answers(right: Sequence[bool]) -> str:
    """What `answers_of` reads: eight images a byte, in hexadecimal digits."""
    return np.packbits(right).tobytes().hex()


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
