"""What TPE proposes: from trials of one kind alone, and the same for the same ones."""

import logging
import warnings
from pathlib import Path

import optuna
import pytest
from made_trials import CONFIG, DEPTH
from optuna.trial import FrozenTrial, TrialState

from frostline.search.proposal import propose
from frostline.search.space import suggest_head, suggest_thawed
from frostline.search.study import open_study
from frostline.training.metrics import BRIER


def head(trial: optuna.Trial) -> object:
    return suggest_head(trial, CONFIG, DEPTH)


def thawed(trial: optuna.Trial) -> object:
    return suggest_thawed(trial, CONFIG, {}, DEPTH)


def tried(study: optuna.Study, suggest, score, count: int) -> list[FrozenTrial]:
    """`count` random trials, and the score that each one's parameters get."""
    study.sampler = optuna.samplers.RandomSampler(seed=2)
    for _ in range(count):
        trial = study.ask()
        suggest(trial)
        value = score(trial.params)
        trial.set_user_attr(BRIER, 1 - value)
        study.tell(trial, value)
    return study.trials[-count:]


def test_the_same_trials_and_seed_give_the_same_in_memory_and_from_a_storage(tmp_path: Path) -> None:
    def score(params):
        return params["keep"] / 10

    in_memory = tried(optuna.create_study(direction="maximize"), head, score, 12)
    with open_study(f"sqlite:///{tmp_path}/optuna.db", "study") as study:
        stored = tried(study, head, score, 12)
    proposals = [propose(trials, head, 10, seed=5) for trials in (in_memory, stored, in_memory)]
    assert proposals[0] == proposals[1] == proposals[2]
    assert proposals[0] != propose(in_memory, head, 10, seed=6)


def test_it_goes_where_scores_are_high() -> None:
    trials = tried(optuna.create_study(direction="maximize"), head, lambda params: params["keep"] / 10, 20)
    learnt = [propose(trials, head, 10, seed)["keep"] for seed in range(20)]
    random = [propose(trials, head, 100, seed)["keep"] for seed in range(20)]
    assert sum(learnt) > sum(random) + 20


def test_few_trials_are_enough_where_they_are_of_one_kind() -> None:
    trials = tried(optuna.create_study(direction="maximize"), thawed, lambda each: 0.5 - each["thawed_keep"] / 10, 12)
    kept = [propose(trials, thawed, 4, seed)["thawed_keep"] for seed in range(20)]
    assert sum(kept) / len(kept) < 2.5  # 3 at random


def test_trials_that_gave_no_score_are_not_learnt_from() -> None:
    trials = tried(optuna.create_study(direction="maximize"), head, lambda params: params["keep"] / 10, 12)
    failed = optuna.create_trial(state=TrialState.FAIL, params=trials[0].params, distributions=trials[0].distributions)
    assert propose([*trials, failed], head, 10, 1) == propose(trials, head, 10, 1)


@pytest.mark.parametrize("suggest", [head, thawed])
@pytest.mark.parametrize("count", [1, 11])
def test_nothing_is_said(suggest, count: int, caplog) -> None:
    trials = tried(optuna.create_study(direction="maximize"), suggest, lambda _: 0.5, count)
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        propose(trials, suggest, 10, seed=1)
    assert not caplog.records
