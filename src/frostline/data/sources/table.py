"""A CSV file with the columns image and label, and optionally split and group."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frostline.data.sources.digests import Digests
from frostline.data.sources.locate import Files, foreign
from frostline.data.sources.record import Reading, Record, as_word, state_of
from frostline.data.sources.split_names import UNLABELLED, parse, settle
from frostline.data.sources.table_text import Row, read_rows
from frostline.errors import DataError
from frostline.text.phrases import listed
from frostline.text.words import visible

__all__ = ["CsvSource", "images_in"]

_NEEDED = ("image", "label")
_OWN = (*_NEEDED, "split", "group")


@dataclass(frozen=True)
class CsvSource:
    """Pictures named by a table; their paths are absolute or relative to the table's folder.

    What spreadsheets do to a table is understood: empty rows and columns, other separators, a header in capitals or
    with spaces. Labels and groups are compared without spaces at their ends and in one Unicode form.
    """

    path: Path

    @property
    def root(self) -> Path:
        """The folder of the table."""
        return self.path.parent

    def read(self) -> Reading:
        """One record per row. Raises DataError for missing columns, empty cells, unknown splits and foreign paths."""
        rows = read_rows(self.path, _NEEDED)
        columns = _Columns.of(rows, f"The table {self.path}")
        if len(rows) < 2:
            raise DataError(f"The table {self.path} has no rows below its header.")
        files = Files(self.root)
        splits = [self._split(row, columns.cell(row, "split")) for row in rows[1:]]
        records = [
            Record(
                image=self.image(row, columns.cell(row, "image"), files),
                label=self._label(row, columns.cell(row, "label")),
                split=settle(split, splits) if split else None,
                group=as_word(columns.cell(row, "group")) or None,
                extra={name: columns.at(row, place) for name, place in columns.other.items()},
            )
            for row, split in zip(rows[1:], splits, strict=True)
        ]
        unnamed = {f"column {place + 1}": "it has no name" for place in columns.unnamed}
        return Reading(records, left_out=unnamed)

    def records(self) -> list[Record]:
        """The records of `read` alone."""
        return self.read().records

    def state(self, digests: Digests, /) -> str:
        """Fingerprint of the table's rows, each with the content of the file that it names."""
        return state_of(self.root, self.read(), digests)

    def image(self, row: Row, cell: str, files: Files) -> str:
        """The path that `cell` of `row` names, relative to `root`. Raises DataError if it names none of this system."""
        if not cell.strip():
            raise self._error(row, "has an empty image. Fill it in, or remove the row")
        if found := files.find(cell):
            return found
        if what := foreign(cell.strip()):
            raise self._error(
                row,
                f"has the image {visible(cell.strip())}, which is {what}. Expected the path of a file on this "
                f"machine, best relative to the table's folder {self.root}",
            )
        return files.relative(cell.strip())

    def _label(self, row: Row, cell: str) -> str:
        if label := as_word(cell):
            return label
        raise self._error(row, "has an empty label. Fill it in, or remove the row")

    def _split(self, row: Row, cell: str) -> str | None:
        name = parse(cell)
        if not cell.strip():
            return None
        if name.split in (None, UNLABELLED) or name.rest:
            raise self._error(row, f"has split '{visible(cell)}'. Expected one of train, val, test, or nothing")
        return name.split

    def _error(self, row: Row, fault: str) -> DataError:
        return DataError(f"The table {self.path}, line {row.line}, {fault}.")


def images_in(table: Path) -> Iterator[Path]:
    """The files that the column image of `table` names, row by row; it needs no other column.

    Raises DataError if there is no such column, or more than one, and for empty cells and foreign paths.
    """
    rows = read_rows(table, ("image",))
    header = rows[0].cells if rows else []
    places = _places(header, "image")
    if len(places) != 1:
        raise DataError(
            f"The table {table} has {len(places) or 'no'} column{'s' if places else ''} image. Expected one, with the "
            f"paths of pictures; received {listed(header) or 'an empty file'}."
        )
    source, files = CsvSource(table), Files(table.parent)
    for row in rows[1:]:
        cell = row.cells[places[0]] if places[0] < len(row.cells) else ""
        yield source.root / source.image(row, cell, files)


@dataclass(frozen=True)
class _Columns:
    """Where a table's columns are: frostline's own, the named others, and those that hold cells without a name."""

    own: dict[str, int]
    other: dict[str, int]
    unnamed: list[int]

    @classmethod
    def of(cls, rows: list[Row], table: str) -> "_Columns":
        header = rows[0].cells if rows else []
        received = listed(header) or "an empty file"
        own = {name: places[0] for name in _OWN if (places := _places(header, name))}
        if missing := [name for name in _NEEDED if name not in own]:
            raise DataError(
                f"{table} lacks the column(s) {', '.join(missing)}. Expected image, label and optionally "
                f"split, group; received {received}."
            )
        wider = next((row for row in rows if any(cell.strip() for cell in row.cells[len(header) :])), None)
        if wider:
            raise DataError(
                f"{table}, line {wider.line}, has more cells than the header has columns. Put cells that have the "
                "separator in them into double quotes."
            )
        others = [place for place in range(len(header)) if place not in own.values()]
        named = [place for place in others if header[place].strip()]
        twice = [name for name, count in Counter(as_word(header[place]) for place in named).items() if count > 1]
        twice += [name for name in own if len(_places(header, name)) > 1]
        if twice:
            raise DataError(
                f"{table} has more than one column {listed(twice)} (received {received}). Each "
                "must have its own name: rename or remove them."
            )
        filled = {place for row in rows[1:] for place, cell in enumerate(row.cells) if cell.strip()}
        unnamed = [place for place in others if place not in named and place in filled]
        return cls(own, {as_word(header[place]): place for place in named}, unnamed)

    def cell(self, row: Row, name: str) -> str:
        """The cell of `row` in one of frostline's own columns, empty if there is none."""
        return self.at(row, self.own[name]) if name in self.own else ""

    def at(self, row: Row, place: int) -> str:
        """The cell of `row` at `place`, empty if the row is shorter."""
        return row.cells[place] if place < len(row.cells) else ""


def _places(header: list[str], name: str) -> list[int]:
    """Where `header` has `name`: as it stands, or else in other case or with spaces around it."""
    exact = [place for place, cell in enumerate(header) if cell == name]
    return exact or [place for place, cell in enumerate(header) if cell.strip().casefold() == name]
