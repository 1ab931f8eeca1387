"""Which trial is used, and what its score is worth."""

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from frostline.errors import SearchError
from frostline.search.selection import Selection
from frostline.search.study import NUMBER, REASON, RIGHT, STANDARD_ERROR
from frostline.search.trials import answers_of, packed_answers

SETTINGS = {"init": "pretrained", "head_learning_rate": 1e-3, "backbone_learning_rate": 1e-5, "weight_decay": 1.0}
SETTINGS |= {"dropout": 0.3, "pooling": "both", "views": "mirror"}
FIRST = ("fine_tune", "retrain", "end_of_convnet")


def trial(number: int, score: float, thaw: int = 0, keep: int = 5, error: float = 0.5, **more: object) -> FrozenTrial:
    attributes = SETTINGS | {"keep": keep, "freeze_depth": keep - thaw, NUMBER: number, STANDARD_ERROR: error} | more
    return optuna.create_trial(value=score, user_attrs=attributes)


def study(*trials: FrozenTrial) -> optuna.Study:
    made = optuna.create_study(direction="maximize")
    made.add_trials(trials)
    return made


@pytest.mark.parametrize(("error", "winner"), [(0.04, 0.775), (0.0004, 0.80)])
def test_of_trials_within_a_standard_error_the_one_that_trains_least_wins(error: float, winner: float) -> None:
    """The error of the best score counts."""
    best = trial(1, 0.80, 3, error=error)
    others = [trial(2, 0.78), trial(3, 0.77, keep=4), trial(4, 0.775, keep=4), trial(5, 0.60, keep=1)]
    assert Selection.of(study(best, *others)).winner.value == winner


@pytest.mark.parametrize(("error", "winner"), [(0.04, 0.77), (0.0126, 0.80)])
def test_the_guides_trial_wins_unless_it_is_beaten_by_a_standard_error(error: float, winner: float) -> None:
    trials = trial(1, 0.77, 5), trial(2, 0.80, keep=4, error=error), trial(3, 0.78, keep=3)
    assert Selection.of(study(*trials), FIRST, ("fine_tune",)).winner.value == winner


@pytest.mark.parametrize(
    ("wanted", "number"), [(("fine_tune",), 1), (("fine_tune", "retrain"), 2), (("start_of_convnet",), None)]
)
def test_the_guides_trial_is_the_best_of_those_it_asked_for(wanted: tuple[str, ...], number: int | None) -> None:
    trials = trial(1, 0.6), trial(2, 0.7), trial(3, 0.8), trial(4, 0.9)
    guide = Selection.of(study(*trials), FIRST, wanted).guide
    assert (guide.user_attrs[NUMBER] if guide else None) == number


def test_of_equal_ones_the_guides_trial_is_the_first_although_it_ran_again_last() -> None:
    guide = Selection.of(study(trial(2, 0.7), trial(1, 0.7)), FIRST, ("fine_tune", "retrain")).guide
    assert guide and guide.user_attrs[NUMBER] == 1  # noqa: PT018  # it may be None


def test_a_guides_trial_that_was_not_completed_does_not_count() -> None:
    pruned = optuna.create_trial(state=TrialState.PRUNED, user_attrs={NUMBER: 1})
    failed = optuna.create_trial(state=TrialState.FAIL, user_attrs={NUMBER: 2, REASON: "memory ran out"})
    assert Selection.of(study(pruned, failed, trial(4, 0.95)), FIRST, ("fine_tune", "retrain")).guide is None


def test_a_study_without_a_complete_trial_says_why() -> None:
    failed = optuna.create_trial(state=TrialState.FAIL, user_attrs={NUMBER: 1, REASON: "memory ran out"})
    with pytest.raises(SearchError, match=r"has no complete trial\. Its trials ended so: memory ran out"):
        Selection.of(study(failed))


@pytest.mark.parametrize("images", [1, 8, 21])
def test_answers_come_back_as_they_were(images: int) -> None:
    right = np.random.default_rng(images).random(images) < 0.5
    assert (answers_of(trial(1, 0.5, **{RIGHT: packed_answers(right)}), images) == right).all()


def test_the_luckiest_of_many_that_guess_is_worth_a_guess() -> None:
    rng, labels = np.random.default_rng(3), np.arange(120) % 2
    trials = []
    for number in range(1, 21):
        right = rng.random(120) < 0.5
        trials.append(trial(number, float(right.mean()), error=0.0, **{RIGHT: packed_answers(right)}))
    selection = Selection.of(study(*trials))
    corrected = selection.corrected_score(labels, np.arange(120), seed=1)
    assert selection.winner.value > 0.57
    assert corrected.value == pytest.approx(0.5, abs=0.04)
    assert corrected.low < 0.5 < corrected.high
