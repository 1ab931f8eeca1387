"""What people say of single pictures is kept, found again by content, and applied."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.data.corrections import LEAVE_OUT, Correction, Corrections
from frostline.data.inspection import Inspection
from frostline.data.sources import Record
from frostline.errors import DataError, ImageError

FOUND = [
    (Record("a.png", "cat"), Inspection(30, 30, "11", 0)),
    (Record("copy of a.png", "cat"), Inspection(30, 30, "11", 0)),
    (Record("b.png", "dog"), Inspection(30, 30, "22", 0)),
    (Record("c.png", "dog"), Inspection(30, 30, "33", 0)),
    (Record("broken.png", "dog"), ImageError("unreadable", "it is empty")),
]


def corrections(**labels: str) -> Corrections:
    """Of pictures whose content is named by the letters' place: x11 is that of a.png."""
    rows = [Correction("any name", sha256.removeprefix("x"), "cat", label) for sha256, label in labels.items()]
    return Corrections(Path("corrections/pets.csv")).revised(rows)


def test_every_picture_of_that_content_gets_the_class_whatever_its_name() -> None:
    corrected = corrections(x11="dog").apply(FOUND)
    assert [record.label for record, _ in corrected] == ["dog", "dog", "dog", "dog", "dog"]
    assert [record.image for record, _ in corrected] == [record.image for record, _ in FOUND]


def test_what_is_left_out_says_by_which_file() -> None:
    results = [result for _, result in corrections(x22=LEAVE_OUT).apply(FOUND)]
    assert isinstance(results[2], ImageError)
    assert (results[2].reason, results[2].detail) == ("left_out", "by corrections/pets.csv")
    assert results[0] is FOUND[0][1]


def test_what_was_applied_is_told_and_what_fits_nothing_is_counted() -> None:
    some = corrections(x22="cat", x33="dog", x99="cat")
    assert some.applied(FOUND) == [("b.png", "dog", "cat"), ("c.png", "dog", "dog")]
    assert some.unused(FOUND) == 1


def test_a_class_that_the_source_does_not_have_is_refused() -> None:
    corrections(x11=LEAVE_OUT, x22="dog").check(["cat", "dog"])
    with pytest.raises(DataError, match=r"gives any name the class 'dgo'.*Did you mean 'dog'\?"):
        corrections(x11="dgo").check(["cat", "dog"])


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda word: word.strip())
ROWS = st.lists(st.builds(Correction, WORDS, st.from_regex(r"\A[0-9a-f]{64}\Z"), WORDS, WORDS), max_size=5)


@given(ROWS)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, rows: list[Correction]) -> None:
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        written = Corrections.of("pets").revised(rows)
        written.write()
        again = Corrections.of("pets")
    assert again == written
    assert again.state == written.state


def test_later_ones_stand_instead_and_change_the_state() -> None:
    first = corrections(x11="dog")
    later = first.revised([Correction("a.png", "11", "cat", "cat")])
    assert [row.label for row in later.rows] == ["cat"]
    assert later.state != first.state
    assert corrections().state == Corrections(Path("elsewhere.csv")).state


@pytest.mark.parametrize(
    "text",
    [
        "image,label\na.png,dog\n",
        "image,sha256,given,label\na.png,11,cat\n",
        "image,sha256,given,label\na.png,11,,cat\n",
        "",
    ],
)
def test_a_damaged_file_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corrections").mkdir()
    Path("corrections/pets.csv").write_text(text)
    with pytest.raises(DataError, match=r"pets\.csv is not as frostline relabel writes it: expected the columns image"):
        Corrections.of("pets")
