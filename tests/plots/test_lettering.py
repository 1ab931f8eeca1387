"""Words in figures, drawn by matplotlib itself."""

import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import RendererAgg

from frostline.plots.lettering import lettered
from frostline.plots.style import Picture, chart, legend

ANY = st.text(st.characters(exclude_categories=()), min_size=1)
RENDERER = RendererAgg(100, 100, 100)
HOSTILE = ["$a$b$", r"\$x$", "a$", "_x", "x" * 240, "x" * 239 + "y", "a\nb", "\ttab", " ", "漢字", "العربية", "x\udce9"]


@settings(deadline=None)
@given(st.lists(ANY, min_size=1, max_size=6, unique=True))
@example(HOSTILE)
@example(["a" * 30 + "b", "a" * 30 + "c", "a" * 30])
@example(["aaaaaaaaaaaaaaa…aaaaaaa", "a" * 40])
def test_any_names_are_drawn_in_one_short_line_each_its_own(names: list[str]) -> None:
    shown = lettered(names)
    assert len(set(shown)) == len(names)
    figure = Picture(4, 3)
    texts = [figure.text(0, 0, text) for text in shown]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of every character that it has no picture of
        figure.draw_without_rendering()
        for text in texts:
            assert not text.get_text().startswith("_")
            assert len(text.get_text()) <= 25
            assert text.get_window_extent(RENDERER).height < 120


@pytest.mark.parametrize("name", ["solar cells", "a_b", "Ωμέγα", "кошка", "العربية", "$5", "C#", "a…b", "0.5"])
def test_what_can_be_drawn_stays_as_it_is(name: str) -> None:
    assert lettered([name]) == [name]


def test_long_names_lose_their_middle_and_carry_a_number_where_they_look_alike() -> None:
    assert lettered(["x" * 240, "short"]) == ["x" * 16 + "…" + "x" * 7, "short"]
    alike = lettered(["x" * 240, "x" * 241, "short"])
    assert alike == ["x" * 14 + "…" + "x" * 6 + " #1", "x" * 14 + "…" + "x" * 6 + " #2", "short #3"]


def test_wide_letters_count_twice(monkeypatch) -> None:
    monkeypatch.setattr("frostline.plots.fonts._characters", lambda _: frozenset(range(0x110000)))
    assert lettered(["漢" * 12, "字" * 30]) == ["漢" * 12, "字" * 8 + "…" + "字" * 3]


def test_a_character_of_no_font_is_written_out(monkeypatch) -> None:
    monkeypatch.setattr("frostline.plots.fonts._installed", list)
    assert lettered(["漢字", " a "]) == [r"\u6f22\u5b57", r"\x20a\x20"]


def test_a_name_with_an_underscore_is_in_the_legend() -> None:
    (name,) = lettered(["_x"])
    _, axes = chart(4, 3, "a title with $two$ dollars")
    axes.plot([0, 1], [0, 1], label=f"{name}: 0.9")
    legend(axes)
    assert [text.get_text().removeprefix("\u200b") for text in axes.get_legend().get_texts()] == ["_x: 0.9"]
