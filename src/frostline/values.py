"""Kinds of value that `params.yaml` may hold, each with the rule that it is checked by."""

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, PlainValidator

__all__ = [
    "Count",
    "Fraction",
    "ImageSize",
    "LinearRange",
    "LogRange",
    "MetricName",
    "Name",
    "PromotionMetric",
    "Strategies",
    "StrategyName",
]


def _is_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ValueError("a name may hold letters, digits and underscores only, because it becomes part of file names")
    return name


def _is_range(bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    if not low <= high:
        raise ValueError(f"a range must be [low, high] with low <= high, but got [{low}, {high}]")
    return bounds


def _are_strategies(value: object) -> object:
    known = get_args(StrategyName)
    rule = f"must be auto or a list of {', '.join(known)}"
    if value == "auto":
        return value
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(rule)
    unknown = [str(name) for name in value if name not in known]
    if unknown:
        raise ValueError(f"{rule}, but '{unknown[0]}' is not among them")
    return tuple(value)


def _is_image_size(value: object) -> object:
    if value != "native" and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ValueError("must be native or a whole number of pixels from 1")
    return value


def _has_a_bootstrap(metric: str) -> str:
    if metric == "calibration_error":
        raise ValueError("calibration_error cannot be what must be better: it has no interval that can be relied on")
    return metric


def _is_positive_range(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] <= 0:
        raise ValueError(f"a range searched on a logarithmic scale must be above 0, but got {list(bounds)}")
    return _is_range(bounds)


Name = Annotated[str, AfterValidator(_is_name)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
LogRange = Annotated[tuple[float, float], AfterValidator(_is_positive_range)]
StrategyName = Literal["end_of_convnet", "start_of_convnet", "fine_tune", "retrain"]
MetricName = Literal[
    "accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss", "calibration_error"
]
LinearRange = Annotated[tuple[float, float], AfterValidator(_is_range)]
ImageSize = Annotated[int | Literal["native"], PlainValidator(_is_image_size)]
Strategies = Annotated[Literal["auto"] | tuple[StrategyName, ...], PlainValidator(_are_strategies)]
PromotionMetric = Annotated[MetricName, AfterValidator(_has_a_bootstrap)]
