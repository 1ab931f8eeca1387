import pytest

from frostline.plots.fonts import drawable, families_for


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frostline.plots.fonts._installed", lambda: ["cmr10", "STIXGeneral", "STIXNonUnicode"])


@pytest.mark.usefixtures("installed")
def test_a_family_that_has_a_character_is_found() -> None:
    assert families_for("⫷x") == ["DejaVu Sans", "STIXGeneral"]  # of these, STIX alone has it
    assert families_for("xΩ") == families_for("") == ["DejaVu Sans"]


@pytest.mark.usefixtures("installed")
def test_what_no_family_has_cannot_be_drawn() -> None:
    assert drawable("a⫷漢a") == {"a", "⫷"}


def test_fonts_are_looked_up_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    families_for("漢字⫷")
    assert not caplog.records
