"""An ensemble of the heads that a study has scored, chosen by what they said of images that they had not seen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from frostline.search.trials import brier_of, settings_of
from frostline.training.heads import HeadScores
from frostline.training.settings import Member, TrialSettings
from frostline.training.trial import Trainer

__all__ = ["choose_ensemble", "cross_fitted", "heads_alike"]

_PICKS = 10
_PARTS = 5


def heads_alike(finished: Sequence[FrozenTrial]) -> list[TrialSettings]:
    """The heads of complete trials, each once, that predict under the same views as the best of them."""
    complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    heads = [settings_of(trial) for trial in sorted(complete, key=brier_of)]
    return list(dict.fromkeys(head for head in heads if head.thaw == 0 and head.test_views == heads[0].test_views))


def choose_ensemble(trainer: Trainer, heads: Sequence[TrialSettings]) -> TrialSettings:
    """The mean of some of `heads`, which are under the same views.

    Greedy selection with replacement (Caruana et al. 2004, Ensemble Selection from Libraries of Models): of ten picks
    each is the head that makes the squared error of the mean of logits least.
    """
    logits = np.stack([trainer.heads.scores(head).logits for head in heads])
    picks = _greedy(logits, trainer.heads.targets, trainer.heads.weights)
    numbers, counts = np.unique(picks, return_counts=True)
    chosen = [(heads[number], int(count)) for number, count in zip(numbers.tolist(), counts, strict=True)]
    blocks = sorted({block for head, _ in chosen for block in head.blocks})
    members = tuple(Member(blocks=head.blocks, pooling=head.pooling, share=count / _PICKS) for head, count in chosen)
    update = {"blocks": tuple(blocks), "freeze_depth": blocks[-1], "pooling": "both", "members": members}
    return heads[0].model_copy(update=update)


def cross_fitted(trainer: Trainer, heads: Sequence[TrialSettings]) -> HeadScores:
    """Scores of an ensemble of `heads` by images that had no part in choosing its members.

    For each fold members are chosen by the images of the other folds; a hold-out is divided for that, by groups.
    """
    scored = [trainer.heads.scores(head) for head in heads]
    logits = np.stack([each.logits for each in scored])
    mean = np.empty_like(logits[0])
    for held in _parts(trainer):
        others = np.setdiff1d(np.arange(logits.shape[2]), held)
        picks = _greedy(logits[:, :, others], trainer.heads.targets[others], trainer.heads.weights[others])
        mean[:, held] = logits[picks][:, :, held].mean(axis=0)
    return trainer.heads.calibrated(mean, scored[0].penalty)


def _parts(trainer: Trainer) -> Sequence[NDArray[np.int64]]:
    """The places of validation images, in parts that are chosen by and held out in turn."""
    cell = trainer.cell
    if len(cell.folds) > 1:
        return cell.places(0)
    groups = cell.packed.index["group"].to_numpy(dtype=str)[cell.validation_rows]
    part = np.unique(groups, return_inverse=True)[1] % _PARTS
    return [np.flatnonzero(part == number) for number in np.unique(part)]


def _greedy(logits: NDArray[np.float32], targets: NDArray[np.float64], weights: NDArray[np.float32]) -> list[int]:
    """Which of H heads, of `logits` [H, R, N, K], are picked; `targets` [N, K] are of images that weigh [N]."""
    picks: list[int] = []
    total = np.zeros_like(logits[0])
    for count in range(1, _PICKS + 1):
        errors = ((total + logits) / count - targets) ** 2
        picks.append(int((errors.sum(axis=3) @ weights).sum(axis=1).argmin()))
        total += logits[picks[-1]]
    return picks
