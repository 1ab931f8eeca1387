"""A study's trials as settings, as what they gave by image, and as a table."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from frostline.search.space import HEAD_PARAMETERS
from frostline.statistics.brier import merit
from frostline.training.metrics import BRIER, SCORE, best_epoch
from frostline.training.settings import TrialSettings, group_of

__all__ = [
    "CERTAINTY",
    "CORRECT",
    "COST",
    "NUMBER",
    "REASON",
    "SETTINGS",
    "SETTLED",
    "STANDARD_ERROR",
    "answers",
    "brier_of",
    "by_image",
    "finished_before",
    "finished_trials",
    "importances",
    "merits",
    "packed",
    "running_before",
    "score_of",
    "settings_of",
    "trial_table",
]

NUMBER = "trial"
"""The user attribute with a trial's number in the search, the one that people see. Optuna's own counts attempts."""

REASON = "reason"
STANDARD_ERROR = "standard_error"
CORRECT = "correct"
CERTAINTY = "certainty"

COST = "images"
"""The user attribute that says how many images a trial trained on, through every block or their like."""

SETTLED = "settled"
"""The user attribute that says whether a trial that thaws blocks was trained until that no longer helped."""

SETTINGS = "settings"
"""The user attribute with the settings that a trial ran with."""

_ENOUGH = 4


def settings_of(trial: FrozenTrial) -> TrialSettings:
    """The settings that `trial` ran with."""
    return TrialSettings.model_validate(trial.user_attrs[SETTINGS])


def score_of(trial: FrozenTrial) -> float:
    """The score of `trial`; of one that is not complete what its best epoch gave so far, NaN without an epoch."""
    if trial.state == TrialState.COMPLETE:
        return float(trial.values[0])
    history = trial.user_attrs.get("history", [])
    return float(history[best_epoch(history) - 1][SCORE]) if history else float("nan")


def packed(values: NDArray[np.float32]) -> str:
    """`values` [N] as text that a storage can hold."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def by_image(trial: FrozenTrial, name: str) -> NDArray[np.float32]:
    """Of the complete `trial` what is kept for each image [n] that judged it, fold after fold: CORRECT or CERTAINTY."""
    return np.frombuffer(base64.b64decode(trial.user_attrs[name]), dtype="<f4").astype(np.float32)


def brier_of(trial: FrozenTrial) -> float:
    """The Brier score of the complete `trial`: see search.judgement."""
    return float(trial.user_attrs[BRIER])


def answers(trials: Sequence[FrozenTrial], images: int) -> NDArray[np.float32]:
    """How often each of complete `trials` named each validation image rightly, as [T, `images`].

    NaN for images of folds that did not judge a trial.
    """
    return _table([by_image(trial, CORRECT) for trial in trials], images)


def merits(trials: Sequence[FrozenTrial], images: int) -> NDArray[np.float32]:
    """What each of complete `trials` has merited by each validation image, as [T, `images`]: see statistics.brier.

    NaN for images of folds that did not judge a trial.
    """
    return _table([merit(by_image(trial, CERTAINTY)) for trial in trials], images)


def _table(rows: Sequence[NDArray[np.floating[Any]]], images: int) -> NDArray[np.float32]:
    table = np.full((len(rows), images), np.nan, dtype=np.float32)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count, one a number and in that order: complete, pruned, or failed for a reason of their own."""
    counted: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if trial.state.is_finished() and (trial.state != TrialState.FAIL or REASON in trial.user_attrs):
            counted.setdefault(trial.user_attrs[NUMBER], trial)
    return [counted[number] for number in sorted(counted)]


def finished_before(study: optuna.Study, number: int) -> list[FrozenTrial]:
    """The finished trials that trial `number` of the search may know of, in order."""
    return [trial for trial in finished_trials(study) if trial.user_attrs[NUMBER] < number]


def running_before(study: optuna.Study, number: int) -> list[FrozenTrial]:
    """The trials of lower numbers that are in flight while trial `number` begins, in order."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return sorted(
        (each for each in running if each.user_attrs[NUMBER] < number), key=lambda each: each.user_attrs[NUMBER]
    )


def importances(study: optuna.Study, seed: int) -> dict[str, float]:
    """How much of the score's variance over heads each of their parameters explains, of sum 1, the largest first.

    By fANOVA: Hutter et al. 2014, An Efficient Approach for Assessing Hyperparameter Importance. Empty where fewer than
    four heads were completed, or all with the same score.
    """
    heads = [trial for trial in finished_trials(study) if set(HEAD_PARAMETERS) <= set(trial.params)]
    scores = [trial.value for trial in heads if trial.state == TrialState.COMPLETE]
    if len(scores) < _ENOUGH or len(set(scores)) == 1:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(HEAD_PARAMETERS)))


def trial_table(trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """One row a trial, by number.

    Trial (its number, from 1), strategy, depth group, score, its standard error, Brier score, best epoch, state,
    whether it was trained until that no longer helped, images trained on, seconds, settings, reason.
    """
    return pd.DataFrame([_row(trial) for trial in sorted(trials, key=lambda trial: trial.user_attrs[NUMBER])])


def _row(trial: FrozenTrial) -> dict[str, Any]:
    attrs = trial.user_attrs
    settings = settings_of(trial) if SETTINGS in attrs else None
    fields = list(TrialSettings.model_fields)
    values = {name: getattr(settings, name, None) for name in ("keep", "thaw", *fields)}
    return (
        {
            "trial": attrs[NUMBER],
            "strategy": attrs.get("strategy"),
            "group": group_of(settings) if settings else None,
            "value": score_of(trial),
            STANDARD_ERROR: attrs.get(STANDARD_ERROR),
            BRIER: attrs.get(BRIER),
            "epochs": attrs.get("epochs", len(attrs.get("history", []))),
            "state": {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed"),
            SETTLED: attrs.get(SETTLED, trial.state == TrialState.COMPLETE),
            COST: attrs.get(COST, 0.0),
            "seconds": trial.duration.total_seconds() if trial.duration else 0.0,
        }
        | values
        | {"blocks": _listed(settings.blocks) if settings else None}
        | {"members": _members(settings) if settings else None, "reason": attrs.get(REASON, "")}
    )


def _members(settings: TrialSettings) -> str:
    """Of an ensemble, as in `0.7: 4,5 both; 0.3: 3 average`: shares, blocks, pooling."""
    return "; ".join(f"{each.share:g}: {_listed(each.blocks)} {each.pooling}" for each in settings.members)


def _listed(blocks: Sequence[int]) -> str:
    return ",".join(map(str, blocks))
