"""The one-standard-error rule: the best of many scores counted on few images is mostly luck."""

import math
from collections.abc import Sequence

__all__ = ["one_standard_error_below", "settled_epoch"]


def one_standard_error_below(best: float, images: int) -> float:
    """What a score must reach to be as good as `best`, an accuracy in [0, 1] over `images` images.

    The highest of many scores counted on few images is a lucky one, so that those within a standard error of it are
    taken as equal and the simplest is chosen: the one-standard-error rule (Breiman et al. 1984, Classification and
    Regression Trees, section 3.4.3).
    """
    return best - math.sqrt(best * (1 - best) / images)


def settled_epoch(scores: Sequence[float], images: int) -> int:
    """The last epoch (from 1) whose score, an accuracy over `images` images, is within a standard error of the best.

    Under a falling learning rate, a later epoch is the more settled network.
    """
    floor = one_standard_error_below(max(scores), images)
    return max(epoch for epoch, score in enumerate(scores, start=1) if score >= floor)
