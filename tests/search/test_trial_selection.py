"""Which trial is used, and what its score is worth."""

import numpy as np
import optuna
import pytest
from made_trials import made, settings
from optuna.trial import FrozenTrial, TrialState

from frostline.errors import SearchError
from frostline.search.selection import Selection
from frostline.search.trials import CERTAINTY, CORRECT, NUMBER, REASON, SETTLED, by_image, packed
from frostline.training.settings import TrialSettings

IMAGES = 100
LABELS, GROUPS = np.arange(IMAGES) % 2, np.arange(IMAGES)
GUIDE, OTHER = settings(5, 5), settings(4)
"""`fine_tune`, and what is none of the guide's recommendations here."""


def answered(number: int, right: np.ndarray, point: TrialSettings = OTHER, **more: object) -> FrozenTrial:
    """A trial that was right on the images `right`, and has the score that follows."""
    score = float(np.mean([right[name == LABELS].mean() for name in (0, 1)]))
    return made(number, score, point, correct=right.astype(np.float32), **more)


def first(count: int) -> np.ndarray:
    """Right on the first `count` images, of both classes alike."""
    return np.arange(IMAGES) < count


def study(*trials: FrozenTrial) -> optuna.Study:
    kept = optuna.create_study(direction="maximize")
    kept.add_trials(trials)
    return kept


def select(*trials: FrozenTrial, recommended: tuple[str, ...] = (), groups: np.ndarray = GROUPS) -> Selection:
    return Selection.of(study(*trials), LABELS, groups, recommended)


def number(trial: FrozenTrial | None) -> int | None:
    return trial.user_attrs[NUMBER] if trial else None


def test_the_highest_score_wins_of_equals_the_first() -> None:
    trials = answered(1, first(60)), answered(2, first(80)), answered(4, ~first(20)), answered(3, first(70))
    assert number(select(*trials).winner) == 2


def test_who_was_judged_by_easy_images_needs_more_of_them_right() -> None:
    """All are right on the first half. One that this half alone judged is worth what the others are, not more."""
    heads = [answered(place, first(70)) for place in (1, 2)]
    easy = made(3, 0.7, GUIDE, correct=np.ones(50))
    found = select(*heads, easy)
    assert number(found.winner) == 1
    assert found.corrected_score(seed=1, test_labels=LABELS).value == pytest.approx(0.7, abs=0.01)


def test_who_is_better_on_the_images_that_judged_it_wins_and_its_interval_is_wider() -> None:
    right = np.arange(IMAGES) % 10 < 7
    heads = [answered(place, right) for place in (1, 2)]
    better = np.ones(40, dtype=bool)
    better[::10] = False
    whole, partly = (
        select(*heads, made(3, 0.9, GUIDE, correct=answers)) for answers in (np.tile(better, 3)[:IMAGES], better)
    )
    assert number(whole.winner) == number(partly.winner) == 3
    ours, theirs = (found.corrected_score(seed=1, test_labels=LABELS) for found in (whole, partly))
    assert theirs.value == pytest.approx(ours.value, abs=0.03)
    assert theirs.high - theirs.low > ours.high - ours.low


def instead(more: int, fewer: int = 0) -> np.ndarray:
    """Right on all of the first 70 images but `fewer`, and on `more` others."""
    return (np.arange(IMAGES) >= fewer) & (np.arange(IMAGES) < 70 + more)


@pytest.mark.parametrize(("more", "fewer", "winner"), [(0, 0, 1), (3, 2, 1), (6, 1, 2), (20, 15, 1), (5, 0, 2)])
def test_the_guides_trial_keeps_its_place_unless_image_by_image_another_is_better(
    more: int, fewer: int, winner: int
) -> None:
    """Five more right answers are enough where they are all that differ, and not where 35 do."""
    trials = answered(1, first(70), GUIDE), answered(2, instead(more, fewer))
    assert number(select(*trials, recommended=("fine_tune",)).winner) == winner


def test_images_of_one_group_are_one_piece_of_evidence() -> None:
    trials = answered(1, first(70), GUIDE), answered(2, instead(6, 2))
    together = np.where((GROUPS >= 70) & (GROUPS < 76), 70, GROUPS)
    assert number(select(*trials, recommended=("fine_tune",)).winner) == 2
    assert number(select(*trials, recommended=("fine_tune",), groups=together).winner) == 1


def test_where_another_answers_as_the_guides_trial_does_the_guides_is_used() -> None:
    trials = answered(1, first(70)), answered(2, first(70), GUIDE)
    assert number(select(*trials, recommended=("fine_tune",)).winner) == 2
    assert number(select(*trials).winner) == 1


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("fine_tune",), 3),
        (("fine_tune", "end_of_convnet"), 1),
        (("start_of_convnet", "end_of_convnet"), 2),
        (("retrain",), None),
        ((), None),
    ],
)
def test_the_guides_trial_is_the_best_of_those_it_asked_for(wanted: tuple[str, ...], found: int | None) -> None:
    """The first of each strategy: later ones are the search's, not the guide's."""
    trials = (
        answered(1, first(80), settings(5)),
        answered(2, first(90), settings(4)),
        answered(3, first(70), GUIDE),
        answered(4, first(95), settings(5)),
        answered(5, first(99), settings(3)),
    )
    assert number(select(*reversed(trials), recommended=wanted).guide) == found


def test_of_equal_ones_the_guides_trial_is_the_first_although_it_ran_again_last() -> None:
    trials = answered(2, first(70), settings(4)), answered(1, first(70), settings(5))
    assert number(select(*trials, recommended=("start_of_convnet", "end_of_convnet")).guide) == 1


def test_a_guides_trial_that_was_begun_is_the_guides_where_none_is_complete() -> None:
    """It takes no trial's place, and no later one of its strategy stands for it."""
    begun = made(1, 0.9, GUIDE, state=TrialState.PRUNED)
    trials = begun, answered(2, first(70)), answered(3, first(60), GUIDE)
    selection = select(*trials, recommended=("fine_tune",))
    assert (number(selection.winner), number(selection.guide)) == (2, 1)
    assert number(select(*trials, recommended=("fine_tune", "start_of_convnet")).guide) == 2


def test_a_trial_of_which_little_is_known_does_not_keep_the_place_for_the_guides() -> None:
    """It leads by what it has of the best, but four images do not show that it is better; of the others all do."""
    hard = GROUPS >= 3
    guides, little = answered(1, first(73) & hard, GUIDE), made(2, 0.8, settings(3), correct=np.ones(4))
    better = [answered(place, first(80) & hard) for place in range(3, 10)]
    alone = select(guides, little, *better)
    assert number(alone.winner) == 2
    assert number(select(guides, little, *better, recommended=("fine_tune",)).winner) == 3
    assert number(select(guides, little, recommended=("fine_tune",)).winner) == 1


@pytest.mark.parametrize(("judged", "settled"), [(60, True), (IMAGES, False)])
def test_a_guides_trial_that_was_not_trained_or_judged_to_the_end_has_to_be_better(judged: int, settled: bool) -> None:
    """It keeps no place by being little known, but is the guide's where there is no other."""
    heads, almost = [answered(place, first(70)) for place in (1, 2)], instead(1, 2)
    short = made(3, 0.69, GUIDE, correct=almost[:judged], **{SETTLED: settled})
    found = select(*heads, short, recommended=("fine_tune",))
    assert (number(found.winner), number(found.guide)) == (1, 3)
    assert number(select(*heads, answered(3, almost, GUIDE), recommended=("fine_tune",)).winner) == 3


def test_a_guides_trial_without_an_epoch_is_none() -> None:
    trials = made(1, None, GUIDE, state=TrialState.PRUNED), answered(2, first(70))
    assert select(*trials, recommended=("fine_tune",)).guide is None


def test_a_study_without_a_complete_trial_says_why() -> None:
    failed = optuna.create_trial(state=TrialState.FAIL, user_attrs={NUMBER: 1, REASON: "memory ran out"})
    pruned = optuna.create_trial(state=TrialState.PRUNED, user_attrs={NUMBER: 2})
    with pytest.raises(
        SearchError, match=r"has no complete trial\. Its trials ended so: (memory ran out; pruned|pru.*)"
    ):
        select(failed, pruned)


@pytest.mark.parametrize("name", [CORRECT, CERTAINTY])
@pytest.mark.parametrize("images", [1, 8, 21])
def test_what_is_kept_by_image_comes_back_as_it_was(images: int, name: str) -> None:
    values = np.random.default_rng(images).random(images).astype(np.float32)
    trial = made(1)
    trial.user_attrs[name] = packed(values)
    assert (by_image(trial, name) == values).all()


def luckiest(seed: int) -> Selection:
    """Of twenty that guess."""
    rng = np.random.default_rng(seed)
    return select(*(answered(number, rng.random(IMAGES) < 0.5) for number in range(1, 21)))


def test_the_luckiest_of_many_that_guess_is_worth_a_guess() -> None:
    selection = luckiest(3)
    corrected = selection.corrected_score(1, LABELS)
    assert selection.winner.value > 0.57
    assert corrected.value == pytest.approx(0.5, abs=0.04)
    assert corrected.low < 0.5 < corrected.high


def test_on_few_test_images_the_score_may_lie_farther_away() -> None:
    few, many = (luckiest(3).corrected_score(1, np.arange(count) % 2) for count in (10, 1000))
    assert few.value == many.value
    assert few.high - few.low > 1.5 * (many.high - many.low)
    rare = luckiest(3).corrected_score(1, np.repeat([0, 1], [5, 995]))  # a class of which there are as few
    assert rare.high - rare.low > 1.5 * (many.high - many.low)
