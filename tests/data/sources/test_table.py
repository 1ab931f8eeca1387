"""Tables as spreadsheets and other systems write them."""

import csv
import io
import tempfile
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.config.schema import CsvConfig
from frostline.data.sources import open_source
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
        (b"PK\x03\x04rest", "a workbook of a spreadsheet, or an archive. Save it"),
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


def table_of(place: Path, text: str, files: str = "", **options: Any) -> CsvSource:
    """A table `t.csv` in `place`, beside files of these names."""
    for name in files.split():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    (place / "t.csv").write_text(text)
    config = CsvConfig(source="csv", path=place / "t.csv", **options)
    found = open_source(config)
    assert isinstance(found, CsvSource)
    return found


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("id,breed\na.png,x\nb.png,y\n", {"image": "id", "label": "breed"}, {"a.png": "x", "b.png": "y"}),
        ("ID;Bréed \na.png;x\n", {"image": "id", "label": "bréed"}, {"a.png": "x"}),
        ("id\tsplit\ta b\na.png\ttest\tx\n", {"image": "id", "label": "a b"}, {"a.png": "x"}),
        (
            "image,MEL,NV,BCC\na,0.0,1.0,0.0\nb,1,0,\n",
            {"label": ["MEL", "NV", "BCC"]},
            {"a": "NV", "b": "MEL"},
        ),
        ("image|cat|dog\na|yes|no\nb|False|TRUE\n", {"label": ["cat", "dog"]}, {"a": "cat", "b": "dog"}),
    ],
)
def test_columns_of_other_names(tmp_path: Path, text: str, columns: dict[str, Any], expected: dict[str, str]) -> None:
    records = table_of(tmp_path, text, columns=columns).records()
    assert {record.image: record.label for record in records} == expected


def test_all_columns_may_have_other_names_and_the_others_are_kept(tmp_path: Path) -> None:
    columns = {"image": "file", "label": "class", "split": "fold", "group": "patient"}
    text = "image,file,class,fold,patient,group\nx,a.png,cat,dev,p1,g\n"
    [record] = table_of(tmp_path, text, columns=columns).records()
    assert record == Record("a.png", "cat", "val", "p1", {"image": "x", "group": "g"})


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (
            "id,breed\na,x\n",
            {},
            r"lacks the column\(s\) image, label\. .*received id, breed\. If .* {image: id, label: bre",
        ),
        (
            "id;breed\na;x\n",
            {},
            r"received id, breed\. If they have other names in it, say which under datasets in par",
        ),
        ("image,lable\na,x\n", {}, r"lacks the column\(s\) label\. .* columns: {image: image, label: lable}"),
        ("image,what\na,x\n", {}, r"columns: {image: image, label: NAME}"),
        (
            "id,class\na,x\n",
            {"image": "id", "label": "breed"},
            r"lacks the column\(s\) breed\. .*{image: id, label: class}",
        ),
        ("image,label\na,x\n", {"split": "fold"}, r"lacks the column\(s\) fold"),
        (
            "image,a,b\nx,0,1\ny,1,0\n",
            {},
            r"lacks the column\(s\) label\. .* Or a, b are classes, .*: label: \[a, b\]\.",
        ),
        ("image,a,b\nx,0,1\n", {"label": ["a", "c"]}, r"lacks the column\(s\) c"),
        ("image,a,b\nx,1,1\n", {"label": ["a", "b"]}, r"line 2, has a 1 in a, b\. Expected one class"),
        ("image,a,b\nx,0,0\n", {"label": ["a", "b"]}, r"line 2, has a 1 in none of the label columns"),
        ("image,a,b\nx,0.7,0.3\n", {"label": ["a", "b"]}, r"line 2, has '0\.7' in column a\. Expected 1 or 0"),
        ('image,label\nx,"{""choices"": [""a"", ""b""]}"\n', {}, r"has the label .*choices.*\. Expected one class for"),
        ("", {}, r"lacks the column\(s\) image, label\. .*received an empty file\.$"),
    ],
)
def test_columns_that_are_missing_are_told_with_the_nearest(
    tmp_path: Path, text: str, columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        table_of(tmp_path, text, columns=columns).read()


@pytest.mark.parametrize(
    ("cell", "files", "expected"),
    [
        ("1", "1.jpg 10.jpg", "1.jpg"),
        ("1", "1.JPEG", "1.JPEG"),
        ("in/1.5", "in/1.5.png in/1.png", "in/1.5.png"),
        ("in\\1", "in/1.tif", "in/1.tif"),
        ("1", "1 1.jpg", "1"),
        ("1", "1/x.jpg 1.jpg", "1.jpg"),
        ("1", "1.txt 1.csv", "1"),
        ("1.jpg", "1.jpg.png", "1.jpg"),
        ("café", "cafe\u0301.jpg", "cafe\u0301.jpg"),
        ("/data/upload/7/0a1b2c3d-cat.jpg", "cat.jpg", "cat.jpg"),
        ("/data/upload/7/0a1b2c3d-cat.jpg", "cat.jpg 0a1b2c3d-cat.jpg", "0a1b2c3d-cat.jpg"),
        ("http://localhost:8080/data/upload/7/0a1b2c3d-a%20b.jpg", "upload/7/0a1b2c3d-a%b.jpg", "a b.jpg"),
        ("/data/upload/7/0a1b2c3d-cat.jpg", "", "cat.jpg"),
        ("/data/local-files/?d=in%2Fcat.jpg", "in/cat.jpg cat.jpg", "in/cat.jpg"),
        ("/data/local-files/?d=/home/ada/in/cat.jpg", "in/cat.jpg", "in/cat.jpg"),
        ("/data/local-files/?d=../../../etc/passwd", "", "passwd"),
    ],
)
def test_files_are_found_as_other_tools_name_them(tmp_path: Path, cell: str, files: str, expected: str) -> None:
    [record] = table_of(tmp_path, f"image,label\n{cell},x\n", files).records()
    assert record.image == expected


def test_a_name_without_an_ending_that_two_pictures_have_is_one_clear_error(tmp_path: Path) -> None:
    source = table_of(tmp_path, "image,label\n1,x\n", "1.jpg 1.png 1.txt")
    with pytest.raises(DataError, match=r"line 2, has the image 1, which may be 1\.jpg, 1\.png: add the ending"):
        source.read()


def test_paths_start_from_the_folder_or_the_archive_that_params_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "image,label\n1,x\nin/2.jpg,y\n"
    folder = table_of(tmp_path, text, "photos/1.jpg photos/in/2.jpg", folder="photos")
    assert [record.image for record in folder.records()] == ["1.jpg", "in/2.jpg"]
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for file in ("1.jpg", "in/2.jpg"):
            archive.write(f"photos/{file}", file)
    packed = table_of(tmp_path, text, folder="photos.zip")
    assert "photos.zip will be unpacked" in packed.to_fetch()
    assert packed.state(Digests(tmp_path / "a")) == folder.state(Digests(tmp_path / "b"))
    assert packed.to_fetch() == folder.to_fetch() == ""
    with pytest.raises(DataError, match=r"The folder absent does not exist .*Mend `folder` under datasets"):
        table_of(tmp_path, text, folder="absent").read()


def test_json_lines_are_a_table_too_and_json_is_none(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("[]")
    with pytest.raises(DataError, match=r"t\.json cannot be read as CSV in UTF-8: it is JSON\. Export it as CSV"):
        CsvSource(tmp_path / "t.json").read()
    (tmp_path / "t.jsonl").write_text(
        '{"image": "a", "label": 1, "x": null}\n\n{"label": "2", "image": "b", "y": [0]}\n'
    )
    assert CsvSource(tmp_path / "t.jsonl").records() == [
        Record("a", "1", extra={"x": "", "y": ""}),
        Record("b", "2", extra={"x": "", "y": "[0]"}),
    ]
    for text, message in (
        ('{"image": "a"\n', r"cannot be read as JSON Lines in UTF-8: line 1 is no JSON object"),
        ("[1]\n", r"line 1 is no JSON object"),
    ):
        (tmp_path / "t.jsonl").write_text(text)
        with pytest.raises(DataError, match=message):
            CsvSource(tmp_path / "t.jsonl").read()
