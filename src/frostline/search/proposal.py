"""What is worth trying next, by Optuna's TPE, after trials of one kind."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from frostline.search.trials import brier_of

__all__ = ["propose"]

_LEARNT_FROM = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def propose(
    trials: Sequence[FrozenTrial], suggest: Callable[[optuna.Trial], object], startup_trials: int, seed: int
) -> dict[str, Any]:
    """The parameters that `suggest` asks for, at random until `startup_trials` of `trials` have ended with a score.

    Complete trials are told by their Brier scores, which vary less by chance than scores; one in flight counts as a bad
    one until it has ended (Optuna's constant liar), so that others look elsewhere. Only what is in `trials`
    counts, in their order: the same ones and the same seed give the same parameters. They must be of one kind, because
    TPE divides all that it is given into good and bad ones before it looks for those that share parameters: among many
    good heads, no trial that thaws blocks would be a good one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=startup_trials, multivariate=True, constant_liar=True, seed=seed
        )
    study = optuna.create_study(direction="minimize", sampler=sampler)
    study.add_trials([_told(trial) for trial in trials if trial.state in _LEARNT_FROM])
    trial = study.ask()
    suggest(trial)
    return trial.params


def _told(trial: FrozenTrial) -> FrozenTrial:
    """`trial` with its Brier score in place of its value."""
    value = brier_of(trial) if trial.state == TrialState.COMPLETE else None
    return optuna.create_trial(
        state=trial.state,
        value=value,
        params=trial.params,
        distributions=trial.distributions,
        intermediate_values=trial.intermediate_values,
    )
