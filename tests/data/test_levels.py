import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.data.levels import OWN_LEVELS, Levels, Range, Span


@pytest.mark.parametrize(
    ("kind", "low", "high", "expected"),
    [
        ("integers", 0, 4095, (0, 4095)),
        ("integers", 3, 4096, (0, 8191)),
        ("integers", 0, 200, (0, 255)),
        ("integers", 0, 65535, (0, 65535)),
        ("integers", 0, 100_000, (0, 131_071)),
        ("integers", 0, 0, (0, 255)),
        ("integers", -5, 900, (-5, 900)),
        ("floats", 0, 1, (0, 1)),
        ("floats", 0, 0.2, (0, 1)),
        ("floats", 0, 1.02, (0, 1.02)),
        ("floats", 0, 200, (0, 255)),
        ("floats", 0, 4000.5, (0, 4095)),
        ("floats", 0, 60_000, (0, 65535)),
        ("floats", 0, 1e6, (0, 1e6)),
        ("floats", 0, 0.001, (0, 0.001)),
        ("floats", -0.5, 0.5, (-0.5, 0.5)),
    ],
)
def test_the_rule(kind: str, low: float, high: float, expected: tuple[float, float]) -> None:
    levels = Levels.of([Span(kind, low, high)])
    assert getattr(levels, kind) == Range(*expected)


def test_one_level_for_all_pictures_of_a_kind() -> None:
    spans = [Span("integers", 0, 90), Span("integers", 10, 3000), Span("floats", 0, 0.7)]
    assert Levels.of(spans) == Levels(Range(0, 4095), Range(0, 1))
    assert Levels.of([]) == OWN_LEVELS


def test_without_levels_each_picture_has_its_own() -> None:
    assert OWN_LEVELS.range_for(Span("integers", 0, 3000)) == (0, 4095)
    assert Levels(floats=Range(0, 1)).range_for(Span("integers", 0, 3000)) == (0, 4095)


def test_what_stays_nearly_black() -> None:
    levels = Levels(Range(0, 65535))
    assert levels.leave_near_black(Span("integers", 0, 4000))
    assert not levels.leave_near_black(Span("integers", 0, 5000))
    assert not Levels(Range(7, 7)).leave_near_black(Span("integers", 7, 7))


numbers = st.floats(-1e12, 1e12) | st.integers(-(2**63), 2**64 - 1).map(float)
spans = st.builds(
    lambda kind, ends: Span(kind, min(ends), max(ends)),
    st.sampled_from(["integers", "floats"]),
    st.tuples(numbers, numbers),
)


@given(st.lists(spans, min_size=1))
def test_levels_hold_all_that_was_seen_survive_json_and_leave_the_brightest_bright(found: list[Span]) -> None:
    levels = Levels.of(found)
    assert Levels.from_dict(levels.as_dict()) == levels
    for span in found:
        black, white = levels.range_for(span)
        assert black <= span.low <= span.high <= white
        assert not OWN_LEVELS.leave_near_black(span) or span.high < 16
    for kind in {span.kind for span in found}:
        black, white = getattr(levels, kind)
        brightest = max(span.high for span in found if span.kind == kind)
        assert np.isclose(black, white) or brightest < 16 or (brightest - black) / (white - black) > 1 / 17
