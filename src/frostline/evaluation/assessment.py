"""Everything that is measured about one model's answers to the test images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.data.arrays import Labels, Probabilities
from frostline.evaluation.intervals import exact_accuracy, intervals, paired_difference
from frostline.evaluation.metrics import METRICS, measure, score
from frostline.evaluation.slices import slices
from frostline.statistics.temperature import with_temperature

__all__ = ["Assessment", "against_guide", "assess", "familiarity_of", "uncalibrated"]


@dataclass(frozen=True)
class Assessment:
    """`metrics`, the few numbers that are compared between models, and the `evidence` behind them."""

    metrics: dict[str, Any]
    evidence: dict[str, Any]


def assess(
    index: pd.DataFrame,
    labels: Labels,
    probabilities: Probabilities,
    classes: tuple[str, ...],
    temperature: float,
    seed: int,
) -> Assessment:
    """Measure `probabilities` [N, K], which are calibrated, for the test images in `index` [N].

    The metrics are `images` and METRICS. The evidence is what else `metrics.score` gives, `intervals` (`low` and `high`
    by metric), `calibration` (the `temperature`, and error and log loss without it), and `slices`.
    """
    groups = index["group"].to_numpy(dtype=str)
    before = uncalibrated(probabilities, temperature)
    scores = score(labels, probabilities, classes)
    compared = ("images", *METRICS)
    return Assessment(
        {name: scores[name] for name in compared},
        {name: value for name, value in scores.items() if name not in compared}
        | {
            "intervals": {
                metric: {"low": found.low, "high": found.high}
                for metric, found in intervals(labels, probabilities, groups, seed).items()
            },
            "calibration": {
                "temperature": temperature,
                "error_before": measure("calibration_error", labels, before),
                "log_loss_before": measure("log_loss", labels, before),
            },
            "slices": slices(index, labels, probabilities),
        },
    )


def familiarity_of(index: pd.DataFrame, strangeness: NDArray[np.float64], outliers: float) -> dict[str, float]:
    """How many of the test images in `index` [N], of `strangeness` [N], are called unknown where `outliers` may be.

    The share of them (`value`) has its exact 95% interval, `low` and `high`.
    """
    unknown = exact_accuracy(strangeness > 1, index["group"].to_numpy(dtype=str))
    return {"outliers": outliers, "images": len(index), "unknown": int((strangeness > 1).sum()), **unknown.model_dump()}


def uncalibrated(probabilities: Probabilities, temperature: float) -> Probabilities:
    """What the network would have said without the temperature in its head."""
    return with_temperature(probabilities, 1 / temperature)


def against_guide(
    index: pd.DataFrame, labels: Labels, found: Probabilities, guided: Probabilities, seed: int
) -> dict[str, float]:
    """The guide's balanced accuracy, and how much more (or less) the search found, with its 95% interval."""
    groups = index["group"].to_numpy(dtype=str)
    difference = paired_difference(labels, found, guided, groups, "balanced_accuracy", seed)
    return {
        "balanced_accuracy": measure("balanced_accuracy", labels, guided),
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
    }
