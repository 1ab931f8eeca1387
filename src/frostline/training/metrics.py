"""What a trial is measured by: the names of its metrics, and which epoch is the best by them."""

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["BRIER", "LOSS", "SCORE", "STANDARD_ERROR", "Metrics", "best_epoch"]

SCORE = "validation_balanced_accuracy"
"""The metric that people are shown: balanced accuracy on validation images, in [0, 1]."""

STANDARD_ERROR = "validation_standard_error"
"""The metric that says how sure that score is."""

BRIER = "validation_brier_score"
"""The metric by which trials are compared, the lower the better: see statistics.brier."""

LOSS = "validation_loss"
"""The metric that says which epoch is best: the mean negative log likelihood of calibrated probabilities, in nats."""

Metrics = dict[str, float]


def best_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """The epoch, from 1, whose validation loss is the lowest: a score counts answers, and varies more by chance."""
    return 1 + int(np.argmin([each[LOSS] for each in history]))
