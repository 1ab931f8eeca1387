"""The guide's table, and the thresholds that lead into it."""

import pytest

from frostline.config.schema import ProfileConfig
from frostline.config.types import GUIDE
from frostline.regimes.guide import Recommendation, classify_similarity, classify_size, recommend
from frostline.statistics.interval import Interval

CONFIG = ProfileConfig(large_per_class=200, large_in_all=2000)


@pytest.mark.parametrize(
    ("size", "similarity", "strategies"),
    [
        ("small", "similar", ("end_of_convnet",)),
        ("small", "different", ("start_of_convnet",)),
        ("small", "unclear", ("end_of_convnet", "start_of_convnet")),
        ("large", "similar", ("fine_tune",)),
        ("large", "different", ("fine_tune", "retrain")),
        ("large", "unclear", ("fine_tune", "retrain")),
    ],
)
def test_each_regime_has_its_strategies_and_a_reason(size, similarity, strategies) -> None:
    found = recommend(size, similarity)
    assert (found.regime, found.strategies) == (f"{size}-{similarity}", strategies)
    assert found.reason.endswith(".")
    assert found.order[: len(strategies)] == strategies
    assert sorted(found.order) == sorted(GUIDE)


def test_every_regime_has_a_reason_of_its_own() -> None:
    rows = [
        recommend(size, similarity) for size in ("small", "large") for similarity in ("similar", "different", "unclear")
    ]
    assert len({row.reason for row in rows}) == len(rows)
    assert all(isinstance(row, Recommendation) for row in rows)


@pytest.mark.parametrize(
    ("per_class", "in_all", "size"),
    [(199, 1999, "small"), (200, 400, "large"), (20, 2000, "large"), (1, 2, "small")],
)
def test_a_cell_is_large_from_either_bound_on(per_class: int, in_all: int, size: str) -> None:
    assert classify_size(per_class, in_all, CONFIG) == size


@pytest.mark.parametrize(
    ("low", "high", "similarity"),
    [
        (0.01, 0.24, "similar"),
        (0.01, 0.25, "similar"),
        (0.24, 0.26, "unclear"),
        (0.25, 0.26, "unclear"),
        (0.2501, 9.0, "different"),
    ],
)
def test_similarity_needs_the_whole_interval_on_one_side(low: float, high: float, similarity: str) -> None:
    assert classify_similarity(Interval(value=(low + high) / 2, low=low, high=high), 0.25) == similarity


def test_without_a_shift_similarity_is_unclear() -> None:
    assert classify_similarity(None, 0.25) == "unclear"


@pytest.mark.parametrize(
    ("size", "similarity", "low", "high", "strategies"),
    [
        ("small", "similar", 0.01, 0.2, ("start_of_convnet", "end_of_convnet")),
        ("small", "similar", -0.01, 0.2, ("end_of_convnet",)),
        ("small", "similar", -0.2, -0.01, ("end_of_convnet",)),
        ("small", "different", -0.2, -0.01, ("end_of_convnet", "start_of_convnet")),
        ("small", "different", -0.2, 0.01, ("start_of_convnet",)),
        ("small", "unclear", -0.01, 0.2, ("start_of_convnet", "end_of_convnet")),
        ("small", "unclear", -0.2, 0.01, ("end_of_convnet", "start_of_convnet")),
        ("large", "similar", 0.01, 0.2, ("fine_tune",)),
    ],
)
def test_a_probe_that_clearly_contradicts_a_small_cells_row_comes_first(
    size, similarity, low: float, high: float, strategies
) -> None:
    found = recommend(size, similarity, Interval(value=(low + high) / 2, low=low, high=high))
    assert (found.regime, found.strategies) == (f"{size}-{similarity}", strategies)
    contradicted = size == "small" and similarity != "unclear" and len(strategies) == 2
    assert ("But a probe reads" in found.reason) == contradicted
