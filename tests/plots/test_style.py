"""Pictures in frostline's look, beside figures of others that keep theirs."""

import warnings
from io import BytesIO

import pytest
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure

from frostline.plots.evaluation import confusion_figure
from frostline.plots.style import chart

NAMES = ["$a$ and $b", "⫷x"]


def png(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def test_a_user_keeps_their_settings_of_matplotlib() -> None:
    before = dict(rcParams)
    png(confusion_figure([[1, 2], [3, 4]], NAMES))
    assert dict(rcParams) == before


@pytest.mark.parametrize("making", [True, False])
def test_a_users_settings_change_no_letter_while_a_picture_is_made_or_drawn(making: bool) -> None:
    plain = png(confusion_figure([[1, 2], [3, 4]], NAMES))
    theirs = {"font.family": ["STIXGeneral"], "text.usetex": True}
    with rc_context(theirs if making else {}):
        figure = confusion_figure([[1, 2], [3, 4]], NAMES)
    with rc_context({} if making else theirs):
        assert png(figure) == plain


def test_no_text_is_mathematics_or_tex() -> None:
    figure, axes = chart(4, 3, "$a$ and $b")
    figure.draw_without_rendering()
    assert axes.title._preprocess_math("$a$") == ("$a$", False)
    assert not axes.title.get_usetex()


def test_each_text_is_drawn_in_fonts_that_have_its_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostline.plots.fonts._installed", lambda: ["STIXGeneral"])
    figure, axes = chart(4, 3, "two\nlines")
    label = axes.set_xlabel("⫷")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of every character that it has no picture of
        png(figure)
    assert label.get_fontfamily() == ["DejaVu Sans", "STIXGeneral"]
    assert axes.title.get_fontfamily() == ["DejaVu Sans"]
