"""How far a score that was counted on few images may lie from the truth, and the rule of one standard error."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "effective_sample_size",
    "one_standard_error_below",
    "paired_standard_error",
    "recalls",
    "standard_error",
]


def effective_sample_size(correct: NDArray[np.bool_ | np.floating[Any]], groups: NDArray[Any]) -> float:
    """How many images that have nothing to do with one another say as much as N images in `groups` [N] of like ones.

    N over the design effect: by how much the variance of the mean of `correct` [N] exceeds the binomial one, as
    the groups' own answers show it (Korn and Graubard 1998, Survey Methodology 24). It lies between 1, where a group's
    answers are as independent as others, and what it is where they are all alike (Kish 1965, Survey Sampling). The
    latter is taken where all N answers are alike, so that nothing shows it.

    An answer is right (1, or True) or not; where an image was answered several times, it is the share of right ones.
    Such answers vary less than binomial ones, which is not counted on.

    Eight images of which twice two are alike:

    >>> correct = np.array([True, True, False, False, True, True, False, True])
    >>> round(effective_sample_size(correct, np.array(list("aabbcdef"))), 2)
    5.33
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    share = correct.mean()
    alike = (sizes**2).sum() / len(correct)
    if share in (0, 1):
        return float(len(correct) / alike)
    surplus = np.bincount(group, weights=correct - share)
    return float(len(correct) / np.clip((surplus**2).sum() / (len(correct) * share * (1 - share)), 1, alike))


def recalls(
    correct: NDArray[np.bool_ | np.floating[Any]], labels: NDArray[np.int64], groups: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each class that `labels` [N] hold, the mean of `correct` [N] in [0, 1], and its effective number of images."""
    classes = [labels == name for name in np.unique(labels)]
    return (
        np.array([correct[of].mean() for of in classes]),
        np.array([effective_sample_size(correct[of], groups[of]) for of in classes]),
    )


def standard_error(
    correct: NDArray[np.bool_ | np.floating[Any]], labels: NDArray[np.int64], groups: NDArray[Any]
) -> float:
    """Of the balanced accuracy of answers to images of classes `labels` [N] in `groups` [N].

    `correct` [N], in [0, 1], says which were right; of several to one image, which share. It is the error of N images,
    however often each was answered.

    The mean of K recalls has the variance sum p (1 - p) / n over K squared: the few images of a rare class count for as
    much as the many of another. Each p is shrunk to (np + 1/2) / (n + 1), the mean under Jeffreys' prior (Brown, Cai
    and DasGupta 2001, Statistical Science 16), because a class with no mistake among few images may well make some.
    """
    shares, images = recalls(correct, labels, groups)
    shrunk = (shares * images + 0.5) / (images + 1)
    return math.sqrt((shrunk * (1 - shrunk) / images).sum()) / len(shares)


def paired_standard_error(
    difference: NDArray[np.floating[Any]], labels: NDArray[np.int64], groups: NDArray[Any]
) -> float:
    """Of the difference of two balanced accuracies on the same images, of classes `labels` [N] in `groups` [N].

    `difference` [N], in [-1, 1], is by how much the one answered an image rightly more often than the other. What is
    easy or hard for both cancels out, so that this is smaller than either score's own standard error. Images of a group
    count together, as a sample of groups has it (Kish 1965, Survey Sampling).

    >>> labels, groups = np.array([0, 0, 1, 1]), np.arange(4)
    >>> round(paired_standard_error(np.array([1.0, 0.0, 0.0, 0.0]), labels, groups), 3)
    0.177
    """
    variance, names = 0.0, np.unique(labels)
    for name in names:
        of = labels == name
        _, group = np.unique(groups[of], return_inverse=True)
        surplus = np.bincount(group, weights=difference[of] - difference[of].mean())
        variance += (surplus**2).sum() / of.sum() ** 2
    return math.sqrt(variance) / len(names)


def one_standard_error_below(scores: Sequence[float], errors: Sequence[float]) -> float:
    """What one of `scores`, whose standard errors are `errors`, must reach to be as good as the highest.

    The highest of many scores counted on few images is a lucky one, so that those within a standard error of it are
    taken as equal and the simplest is chosen: the one-standard-error rule (Breiman et al. 1984, Classification and
    Regression Trees, section 3.4.3). Of several that are highest the least sure counts, whatever their order.

    >>> round(one_standard_error_below([0.80, 0.83, 0.82], errors=[0.02, 0.02, 0.02]), 2)
    0.81
    """
    best = max(scores)
    return best - max(error for score, error in zip(scores, errors, strict=True) if score == best)
