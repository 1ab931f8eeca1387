"""Which heads an ensemble is made of, and that what scores it had no part in choosing them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_trials import made, settings
from optuna.trial import TrialState

from frostline.search.ensemble import choose_ensemble, cross_fitted, heads_alike
from frostline.training.heads import HeadScores
from frostline.training.ridge import targets_of

IMAGES = 400
LABELS = np.arange(IMAGES) % 2


def trainer(logits: dict, labels: np.ndarray = LABELS, folds: int = 5, groups: np.ndarray | None = None):
    """Stands for one whose heads gave these `logits` [R, N, 2], out of folds that follow one another."""
    rows = np.arange(IMAGES)
    index = pd.DataFrame({"group": (rows if groups is None else groups).astype(str)})
    cell = SimpleNamespace(
        folds=range(folds),
        places=lambda _: np.array_split(rows, folds),
        validation_rows=rows,
        packed=SimpleNamespace(index=index),
    )
    heads = SimpleNamespace(
        scores=lambda head: HeadScores(logits[head], 0.1, 1.0),
        targets=targets_of(labels, 2),
        weights=np.ones(IMAGES, dtype=np.float32),
        calibrated=lambda mean, penalty: HeadScores(mean, penalty, 1.0),
    )
    return SimpleNamespace(heads=heads, cell=cell)


def right_on(images: np.ndarray) -> np.ndarray:
    """Logits [1, N, 2] that are sure of the right class on `images`, and a little of the wrong one on others."""
    return (targets_of(LABELS, 2) * np.where(images, 1.0, -0.3)[:, None]).astype(np.float32)[None]


def noise(count: int) -> dict:
    """Heads that guess."""
    rng = np.random.default_rng(1)
    heads = [settings(block) for block in range(1, count + 1)]
    return {head: rng.normal(size=(2, IMAGES, 2)).astype(np.float32) for head in heads}


def accuracy(logits: np.ndarray) -> float:
    return float((logits.mean(axis=0).argmax(axis=1) == LABELS).mean())


def test_heads_that_make_up_for_one_another_are_taken_and_what_adds_nothing_is_not() -> None:
    early = np.arange(IMAGES) < IMAGES // 2
    logits = {settings(3): right_on(early), settings(5): right_on(~early), settings(1): right_on(early & False)}
    chosen = choose_ensemble(trainer(logits), list(logits))
    assert {member.blocks: member.share for member in chosen.members} == {(3,): 0.5, (5,): 0.5}
    assert (chosen.blocks, chosen.freeze_depth, chosen.pooling) == ((3, 5), 5, "both")
    assert accuracy(cross_fitted(trainer(logits), list(logits)).logits) == 1


@pytest.mark.parametrize("folds", [5, 1])
def test_an_ensemble_of_guesses_is_worth_a_guess(folds: int) -> None:
    """By the images that chose it it looks better: 40 heads, of which the luckiest are taken."""
    logits = noise(40)
    known = trainer(logits, folds=folds)
    members = choose_ensemble(known, list(logits)).members
    luckiest = sum(member.share * logits[head] for member in members for head in logits if head.blocks == member.blocks)
    found = accuracy(cross_fitted(known, list(logits)).logits)
    assert found < 0.52
    assert accuracy(luckiest) > found + 0.05


@pytest.mark.parametrize("folds", [5, 1])
def test_no_image_has_a_say_in_what_answers_for_it_nor_one_of_its_group(folds: int) -> None:
    logits, groups = noise(10), np.arange(IMAGES) // 4
    turned = LABELS.copy()
    turned[:4] = 1 - turned[:4]
    answers = [cross_fitted(trainer(logits, labels, folds, groups), list(logits)).logits for labels in (LABELS, turned)]
    np.testing.assert_array_equal(answers[0][:, :4], answers[1][:, :4])
    assert (answers[0] != answers[1]).any(), "these labels decide nothing, and show nothing"


def test_members_are_chosen_among_complete_heads_under_the_views_of_the_best() -> None:
    other = settings(2).model_copy(update={"views": "identity", "test_views": "identity"})
    finished = [
        made(1, 0.6, settings(5)),
        made(2, 0.8, settings(4)),
        made(3, 0.8, settings(4)),
        made(4, 0.7, other),
        made(5, None, settings(3), state=TrialState.FAIL),
    ]
    assert heads_alike(finished) == [settings(4), settings(5)]
    assert heads_alike(finished[4:]) == []
