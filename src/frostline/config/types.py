"""Kinds of value that `params.yaml` may hold, each with the rule that it is checked by."""

import re
from collections import defaultdict
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, Field

__all__ = [
    "GUIDE",
    "MOST_CROPS",
    "Count",
    "Fraction",
    "ImageSize",
    "Init",
    "LinearRange",
    "LogRange",
    "MetricName",
    "Named",
    "PerClass",
    "Pooling",
    "PromotionMetric",
    "Resize",
    "Similarity",
    "SizeClass",
    "Strategies",
    "StrategyName",
    "ViewSet",
    "ViewSets",
]

T = TypeVar("T")


def _is_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", name):
        raise ValueError(
            "a name may hold letters, digits and underscores only, 64 at most, because it becomes part of file names"
        )
    return name


def _differ_in_more_than_case(named: dict[str, T]) -> dict[str, T]:
    alike = defaultdict(list)
    for name in named:
        alike[name.lower()].append(name)
    for names in alike.values():
        if len(names) > 1:
            raise ValueError(
                f"{' and '.join(names)} differ in letter case alone, and would share files on systems that do not tell "
                "the two apart: rename one"
            )
    return named


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


def _is_view_set(value: object) -> object:
    if value not in _VIEW_SETS and value not in [f"crops-{count}" for count in range(1, MOST_CROPS + 1)]:
        raise ValueError(f"must be {', '.join(_VIEW_SETS)}, or crops-K with K from 1 to {MOST_CROPS}")
    return value


def _is_image_size(value: object) -> object:
    if value != "native" and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 4096):
        raise ValueError("must be native or a whole number of pixels from 1 to 4096")
    return value


def _is_per_class(value: Any) -> Any:
    if value == "all":
        return value
    if not isinstance(value, int | float) or isinstance(value, bool) or value % 1 or not 1 <= value < 2**31:
        raise ValueError("must be all, or a whole number of images per class from 1 to 2147483647")
    return int(value)


def _has_a_bootstrap(metric: str) -> str:
    if metric == "calibration_error":
        raise ValueError("calibration_error cannot be what must be better: it has no interval that can be relied on")
    return metric


def _is_positive_range(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] <= 0:
        raise ValueError(f"a range searched on a logarithmic scale must be above 0, but got {list(bounds)}")
    return _is_range(bounds)


Named = Annotated[
    dict[Annotated[str, AfterValidator(_is_name)], T], Field(min_length=1), AfterValidator(_differ_in_more_than_case)
]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
PerClass = Annotated[int | Literal["all"], BeforeValidator(_is_per_class)]
"""How many training images of a class a cell has at most; all of them: `all`."""
LogRange = Annotated[tuple[float, float], AfterValidator(_is_positive_range)]
StrategyName = Literal["end_of_convnet", "start_of_convnet", "fine_tune", "retrain"]
GUIDE: tuple[StrategyName, ...] = get_args(StrategyName)
"""The guide's four strategies, the cheapest first."""
Init = Literal["pretrained", "random"]
Resize = Literal["stretch", "crop", "pad"]
Pooling = Literal["average", "maximum", "both"]
MOST_CROPS = 32
_VIEW_SETS = ("identity", "mirror", "flips", "dihedral", "crops")
ViewSet = Annotated[str, BeforeValidator(_is_view_set)]
"""The name of one of data.views.VIEW_SETS."""
ViewSets = Annotated[tuple[ViewSet, ...], Field(min_length=1)]
SizeClass = Literal["small", "large"]
Similarity = Literal["similar", "different", "unclear"]
MetricName = Literal[
    "accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss", "calibration_error"
]
LinearRange = Annotated[tuple[float, float], AfterValidator(_is_range)]
ImageSize = Annotated[int | Literal["native"], BeforeValidator(_is_image_size)]
Strategies = Annotated[Literal["auto"] | tuple[StrategyName, ...], BeforeValidator(_are_strategies)]
PromotionMetric = Annotated[MetricName, AfterValidator(_has_a_bootstrap)]
