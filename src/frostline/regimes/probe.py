"""Depth profile: how well each block's features separate the classes, before anything is trained."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.data.arrays import Labels
from frostline.evaluation.intervals import paired_difference
from frostline.statistics.interval import Interval
from frostline.statistics.standard_error import one_standard_error_below
from frostline.training.settings import guide_depth

__all__ = ["cut_block", "log_evidence", "peak_block", "probe_answers", "probe_gain", "usable_folds"]

_PENALTIES = tuple(10.0**exponent for exponent in range(-1, 6))
Features = NDArray[np.float32]


def usable_folds(labels: Labels, groups: Sequence[str], folds: int) -> int:
    """How many of `folds` folds each class can fill with whole groups; with less than 2 there is no probe."""
    if len(np.unique(labels)) < 2:
        return 0
    return min(folds, int(pd.Series(list(groups)).groupby(labels).nunique().min()))


def probe_answers(
    features: Features, labels: Labels, groups: Sequence[str], folds: int, seed: int
) -> NDArray[np.bool_]:
    """Which images [N] a linear probe (Alain and Bengio 2016, arXiv 1610.01644) gets right when their fold is held out.

    `features` [N, D] are pooled activations, `labels` [N] integers; a group is never divided between folds. The probe
    is a ridge classifier on standardised features, its penalty chosen by leave-one-out in closed form.
    """
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), RidgeClassifierCV(_PENALTIES, class_weight="balanced"))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    predicted = cross_val_predict(probe, features.astype(np.float64), labels, groups=groups, cv=splitter)
    return np.asarray(predicted == labels)


def log_evidence(features: Features, labels: Labels) -> float:
    """LogME (You et al. 2021, arXiv 2102.11005): the evidence of a Bayesian linear model on `features` [N, D].

    The mean over classes of the log marginal likelihood per image of their one-hot labels, at the prior and noise
    precisions that maximise it. Higher is better; it needs no folds. Blocks of one backbone compare, data sets do not.
    """
    from sklearn.linear_model import BayesianRidge

    u, singular, _ = np.linalg.svd(features.astype(np.float64), full_matrices=False)
    rotated = u * singular  # the same evidence from at most N columns
    evidences = [
        BayesianRidge(fit_intercept=False, compute_score=True).fit(rotated, labels == label).scores_[-1]
        for label in np.unique(labels)
    ]
    return float(np.mean(evidences) / len(labels))


def probe_gain(
    labels: Labels, groups: Sequence[str], earlier: NDArray[np.bool_], last: NDArray[np.bool_], seed: int
) -> Interval:
    """By how much the balanced accuracy of one block's right answers [N] exceeds that of the last block's, paired."""
    numbers = np.unique(labels, return_inverse=True)[1]
    classes = int(numbers.max()) + 1

    def answers(right: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.eye(classes)[np.where(right, numbers, (numbers + 1) % classes)]  # which wrong one does not matter

    return paired_difference(numbers, answers(earlier), answers(last), np.array(groups), "balanced_accuracy", seed)


def peak_block(scores: Sequence[float]) -> int | None:
    """The block, from 1, with the highest of `scores`; the earliest of equals. None without scores."""
    return 1 + int(np.argmax(scores)) if scores else None


def cut_block(scores: Sequence[float], errors: Sequence[float]) -> int | None:
    """Of the blocks before the last that score as well as the best of them, the one nearest to the guide's usual cut.

    As well is within a standard error, by the `errors` of the scores: on few images the highest of several scores is
    a lucky one. None without an earlier block.

    >>> cut_block([0.78, 0.80, 0.81, 0.84, 0.83], errors=[0.02] * 5)
    4
    """
    earlier = scores[:-1]
    if not earlier:
        return None
    _, usual, _ = guide_depth("start_of_convnet", len(scores))
    floor = one_standard_error_below(earlier, errors[:-1])
    as_well = [block for block, score in enumerate(earlier, start=1) if score >= floor]
    return min(as_well, key=lambda block: abs(block - usual))
