"""A table's cells, however a program wrote them: UTF-8 or UTF-16, with commas, semicolons or tabs, or JSON Lines."""

import codecs
import csv
import io
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.errors import DataError

__all__ = ["Row", "read_rows"]

_JSON_LINES = (".jsonl", ".ndjson")
_SEPARATORS = ",;\t|"
_ENCODINGS = {  # by the mark at the file's start; UTF-32's begins with UTF-16's
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_SEPARATOR_LINE = re.compile(rf'"?sep=([{_SEPARATORS}])"?\r?\n', re.IGNORECASE)  # by which Excel is told the separator


@dataclass(frozen=True)
class Row:
    """The cells of a row that is not empty, and the number of its last line, from 1."""

    line: int
    cells: list[str]

    def at(self, place: int) -> str:
        """The cell at `place`, empty if the row is shorter."""
        return self.cells[place] if place < len(self.cells) else ""


def read_rows(path: Path, columns: Collection[str]) -> list[Row]:
    """The rows of a table, its header first. Cells are separated by what makes the header hold `columns`, if any does.

    Raises:
        DataError: there is no such file, or it is not CSV in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.
    """
    try:
        text = _decode(path.read_bytes())
        if path.suffix.lower() in _JSON_LINES:
            return _objects(text)
        if path.suffix.lower() == ".json":
            raise _NotTextError("it is JSON. Export it as CSV, or write an object in each line of a .jsonl file")
        if line := _SEPARATOR_LINE.match(text):
            return _rows(text[line.end() :], line[1], lines_before=1)
        return _rows(text, _separator(text, columns), lines_before=0)
    except FileNotFoundError:
        raise DataError(
            f"The table {path} does not exist (seen from {Path.cwd()}). Mend `path` under datasets in params.yaml."
        ) from None
    except csv.Error as error:
        raise DataError(f"The table {path} cannot be read as CSV: {error}. Is a double quote not closed?") from None
    except (OSError, _NotTextError) as error:
        form = "JSON Lines" if path.suffix.lower() in _JSON_LINES else "CSV"
        raise DataError(f"The table {path} cannot be read as {form} in UTF-8: {error}.") from None


class _NotTextError(Exception):
    pass


def _decode(data: bytes) -> str:
    if data.startswith(_WORKBOOKS):
        raise _NotTextError(
            "it is a workbook of a spreadsheet, or an archive. Save it there as CSV in UTF-8, or unpack it"
        )
    encoding = next((name for mark, name in _ENCODINGS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _NotTextError(
            f"line {line} has the byte 0x{data[error.start]:02X}, which is not {encoding.upper()}. Spreadsheets save "
            "older encodings, such as Windows-1252, unless asked for CSV in UTF-8: save it as that"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _NotTextError(
            f"line {line} has a zero character, which no name can have. It may be UTF-16 without a byte order mark: "
            "save it as CSV in UTF-8"
        )
    return text.removeprefix("\ufeff")  # some tools write the mark twice


def _separator(text: str, columns: Collection[str]) -> str:
    header = next((line for line in text.splitlines() if line.strip(_SEPARATORS + " ")), "")
    for separator in _SEPARATORS:
        names = {name.strip(' "').casefold() for name in header.split(separator)}
        if names.issuperset(name.strip().casefold() for name in columns):
            return separator
    return max(_SEPARATORS, key=header.count)  # the first of the most frequent


def _rows(text: str, separator: str, lines_before: int) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows = (Row(reader.line_num + lines_before, cells) for cells in reader)
    return [row for row in rows if any(cell.strip() for cell in row.cells)]


def _objects(text: str) -> list[Row]:
    """A row for each JSON object, below a header of all their keys."""
    objects: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _NotTextError(f"line {number} is no JSON object")
        objects[number] = found
    keys = list(dict.fromkeys(key for found in objects.values() for key in found))
    rows = [Row(number, [_cell(found.get(key)) for key in keys]) for number, found in objects.items()]
    return [Row(1, keys), *rows] if rows else []


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
