"""Tables as spreadsheets and other systems write them."""

import csv
import io
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.data.sources.digests import Digests
from frostline.data.sources.record import Record, as_word
from frostline.data.sources.table import CsvSource
from frostline.errors import DataError

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
PLAIN = "image,label,group,site\na.png,cat,g1,x\nb.png,dog,g2,\n"
RECORDS = [Record("a.png", "cat", None, "g1", {"site": "x"}), Record("b.png", "dog", None, "g2", {"site": ""})]


def source(folder: Path, text: str | bytes) -> CsvSource:
    file = folder / "t.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CsvSource(file)


def images(folder: Path, text: str) -> list[str]:
    return [record.image for record in source(folder, text).records()]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        "sep=;\r\n" + PLAIN.replace(",", ";"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", ",,\n"),
        "\n,,,\n" + PLAIN + ",,,\n\n , ,\n",
        PLAIN.replace("image,label", '" Image ",LABEL'),
        PLAIN.replace("cat", " cat ").replace("a.png", " a.png "),
        PLAIN.encode("utf-8-sig"),
        ("\ufeff" + PLAIN).encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.replace(",", "\t").encode("utf-16"),
    ],
)
def test_spreadsheets_are_understood(tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / "a.png").touch()
    reading = source(tmp_path, text).read()
    assert (reading.records, reading.left_out) == (RECORDS, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\na.png,café\n".encode("cp1252"), "line 2 has the byte 0xE9, which is not UTF-8. .*Windows-1252"),
        ("image,label\na.png,cat\n".encode("utf-16-le"), "line 1 has a zero character.*UTF-16 without"),
        (b"image,label\na.png,c\0at\n", "line 2 has a zero character, which no name can have"),
        (b"PK\x03\x04rest", "a workbook of a spreadsheet. Save it there as CSV"),
        (b'image,label\n"a.png,cat\n', "cannot be read as CSV: .* Is a double quote not closed"),
        ("image,label,label\na,b,c\n", "more than one column label"),
        ("image,Label,LABEL\na,b,c\n", "more than one column label"),
        ("image,label,x,x \na,b,c,d\n", "more than one column x"),
        ("image,label,split\na,b,unlabelled\n", "has split 'unlabelled'"),
        ("image,label\nC:\\data\\a.png,b\n", r"line 2, has the image C:\\data\\a.png, which is a path of a Windows"),
        (
            "image,label\n\\\\server\\a.png,b\n",
            "a path of a Windows machine. Expected .* relative to the",
        ),
        ("image,label\nhttps://x.org/a.png,b\n", "https://x.org/a.png, which is an address"),
    ],
)
def test_what_is_not_understood_names_the_cause(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        source(tmp_path, text).read()


def test_splits_of_any_name(tmp_path: Path) -> None:
    text = "image,label,split\na,x,Training\nb,x,dev\nc,x,eval\nd,x,test_set\ne,x, \n"
    assert [record.split for record in source(tmp_path, text).records()] == ["train", "val", "val", "test", None]


def test_other_columns_named_like_own_ones_stay_apart(tmp_path: Path) -> None:
    [record] = source(tmp_path, "label,Label, label ,image,phash,Group\na,b,c,d,e,f\n").records()
    assert record == Record("d", "a", None, "f", {"Label": "b", "label": "c", "phash": "e"})


def test_a_column_without_a_name_is_left_out(tmp_path: Path) -> None:
    reading = source(tmp_path, ",image,label,\n0,a,x,\n1,b,y,\n").read()
    assert reading.left_out == {"column 1": "it has no name"}
    assert reading.records == [Record("a", "x"), Record("b", "y")]


def test_backslashes_are_slashes_where_only_such_a_file_exists(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("in/a.png", "in/b.png", "in\\b.png"):
        (tmp_path / name).touch()
    assert images(tmp_path, "image,label\nin\\a.png,x\nin\\b.png,x\nin\\c.png,x\n") == [
        "in/a.png",
        "in\\b.png",
        "in\\c.png",
    ]


@pytest.mark.parametrize(("named", "kept"), [(NFC, NFD), (NFD, NFC)])
def test_files_are_found_in_another_unicode_form(tmp_path: Path, named: str, kept: str) -> None:
    (tmp_path / kept).mkdir()
    (tmp_path / kept / f"{kept}.png").touch()
    [record] = source(tmp_path, f"image,label\n{named}/{named}.png,{named}\n").records()
    assert (record.image, record.label) == (f"{kept}/{kept}.png", NFC)


def test_a_file_of_just_this_name_comes_first(tmp_path: Path) -> None:
    names = [f"{NFC}.png", f"{NFD}.png", "a.png", " a.png"]
    for name in names:
        (tmp_path / name).touch()
    assert images(tmp_path, "image,label\n" + "".join(f"{name},x\n" for name in names)) == names


def test_swapped_rows_change_the_state_and_their_order_does_not(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    texts = ("a,x\nb,y\n", "b,x\na,y\n", "b,y\na,x\n")
    digests = Digests(tmp_path / "memory")
    first, swapped, reordered = (source(tmp_path, "image,label\n" + text).state(digests) for text in texts)
    assert first == reordered != swapped


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=3))
def test_cells_of_any_text_are_read(rows: list[tuple[str, str, str]]) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("image", "label", "site"), *((f"./{a}", f"x{b}", c) for a, b, c in rows)])
    with tempfile.TemporaryDirectory() as folder:
        table = source(Path(folder), buffer.getvalue())
        found = table.records()
        assert [record.extra["site"] for record in found] == [site for _, _, site in rows]
        assert [record.label for record in found] == [as_word(f"x{label}") for _, label, _ in rows]
        assert len(table.state(Digests(Path(folder, "memory")))) == 64
