"""A table of pictures: a file or an address, a label, and optionally a split and a group in each row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from frostline.config.datasets import Columns
from frostline.data.sources.columns import TableColumns, places_of, truth
from frostline.data.sources.digests import Digests
from frostline.data.sources.downloads import Downloads, is_web_address
from frostline.data.sources.folder_names import is_picture_name
from frostline.data.sources.kept import RAW, is_archive, is_unpacked, stem, unpacked
from frostline.data.sources.label_studio import files_meant
from frostline.data.sources.locate import Files, foreign
from frostline.data.sources.record import Reading, Record, as_word, state_of
from frostline.data.sources.split_names import UNLABELLED, parse, settle
from frostline.data.sources.table_text import Row, read_rows
from frostline.errors import DataError
from frostline.runtime.project import in_project
from frostline.text.phrases import counted, listed
from frostline.text.words import visible

__all__ = ["CsvSource", "images_in"]

_SEVERAL = '{"choices"'  # how Label Studio writes more than one label


@dataclass(frozen=True)
class CsvSource:
    """Pictures named by a table; their paths are absolute or relative to `folder`, else to the table's own folder.

    What spreadsheets do to a table is understood: empty rows and columns, other separators, a header in capitals or
    with spaces. Labels and groups are compared without spaces at their ends and in one Unicode form. A path may lack
    the ending of its file. With `download` every picture is an address, of a file that is kept in `data/raw/`.
    """

    path: Path
    folder: Path | None = None
    columns: Columns = field(default_factory=Columns)
    download: bool = False

    @property
    def root(self) -> Path:
        """The folder that paths start from; an archive is unpacked."""
        if self.download:
            return in_project(RAW / f"{stem(self.path)}-downloads")
        folder = self.folder or self.path.parent
        return unpacked(folder) if is_archive(folder) else folder

    def read(self) -> Reading:
        """One record per row. Raises DataError for missing columns, empty cells, unknown splits and foreign paths."""
        rows, columns = self._table()
        images = self._downloaded(rows, columns) if self.download else self._located(rows, columns)
        splits = [self._split(row, columns.cell(row, "split")) for row in rows]
        records = [
            Record(
                image=image,
                label=self._label(row, columns),
                split=settle(split, splits) if split else None,
                group=as_word(columns.cell(row, "group")) or None,
                extra={name: row.at(place) for name, place in columns.other.items()},
            )
            for row, image, split in zip(rows, images, splits, strict=True)
        ]
        unnamed = {f"column {place + 1}": "it has no name" for place in columns.unnamed}
        return Reading(records, left_out=unnamed)

    def records(self) -> list[Record]:
        """The records of `read` alone."""
        return self.read().records

    def state(self, digests: Digests, /) -> str:
        """Fingerprint of the table's rows, each with the content of the file that it names."""
        return state_of(self.root, self.read(), digests)

    def to_fetch(self) -> str:
        """What the first reading does beside looking at files; nothing if that is done."""
        if not self.download:
            packed = self.folder and is_archive(self.folder) and not is_unpacked(self.folder)
            return f"{self.folder} will be unpacked into {in_project(RAW)}" if packed else ""
        rows, columns = self._table()
        missing = Downloads(self.root).missing(self._addresses(rows, columns))
        return f"{counted(len(missing), 'picture')} will be downloaded into {self.root}" if missing else ""

    def image(self, row: Row, cell: str, files: Files) -> str:
        """The path that `cell` of `row` names, relative to `root`. Raises DataError if it names none of this system."""
        bare = cell.strip()
        if not bare:
            raise self._error(row, "has an empty image. Fill it in, or remove the row")
        found = files.find(cell)
        if found and not (files.root / found).is_dir():
            return found
        pictures = [] if is_picture_name(bare) else files.with_ending(bare)
        if len(pictures) > 1:
            raise self._error(row, f"has the image {visible(bare)}, which may be {listed(pictures)}: add the ending")
        meant = files_meant(bare)
        if not (found or pictures or meant) and (what := foreign(bare)):
            raise self._error(
                row,
                f"has the image {visible(bare)}, which is {what}. Expected the path of a file on this machine, best "
                f"relative to the folder {files.root}"
                + (". To train on pictures from the web, say download: true" if is_web_address(bare) else ""),
            )
        return next(iter(pictures), found or files.relative(meant[-1] if meant else bare))

    def _table(self) -> tuple[list[Row], TableColumns]:
        """The rows below the header, and where the columns are."""
        rows = read_rows(self.path, self.columns.asked_for)
        columns = TableColumns.of(rows, self.columns, f"The table {self.path}")
        if len(rows) < 2:
            raise DataError(f"The table {self.path} has no rows below its header.")
        return rows[1:], columns

    def _located(self, rows: Sequence[Row], columns: TableColumns) -> list[str]:
        files = Files(self.root)
        if self.folder and not files.root.is_dir():
            raise DataError(
                f"The folder {files.root} does not exist (seen from {Path.cwd()}). "
                "Mend `folder` under datasets in params.yaml."
            )
        return [self.image(row, columns.cell(row, "image"), files) for row in rows]

    def _downloaded(self, rows: Sequence[Row], columns: TableColumns) -> list[str]:
        addresses, downloads = self._addresses(rows, columns), Downloads(self.root)
        downloads.fetch(addresses)
        return [downloads.name(address) for address in addresses]

    def _addresses(self, rows: Sequence[Row], columns: TableColumns) -> list[str]:
        addresses = [columns.cell(row, "image").strip() for row in rows]
        for row, address in zip(rows, addresses, strict=True):
            if not is_web_address(address):
                raise self._error(
                    row,
                    f"has the image '{visible(address)}'. With download: true each must be an address that begins with "
                    "http:// or https://. Make files a data set of their own",
                )
        return addresses

    def _label(self, row: Row, columns: TableColumns) -> str:
        if len(columns.labels) > 1:
            return self._class_with_one(row, columns)
        [place] = columns.labels.values()
        label = as_word(row.at(place))
        if not label:
            raise self._error(row, "has an empty label. Fill it in, or remove the row")
        if label.startswith(_SEVERAL):
            raise self._error(row, f"has the label {visible(label)}. Expected one class for each picture")
        return label

    def _class_with_one(self, row: Row, columns: TableColumns) -> str:
        found = {name: truth(row.at(place)) for name, place in columns.labels.items()}
        for name, is_true in found.items():
            if is_true is None:
                cell = row.at(columns.labels[name])
                raise self._error(row, f"has {visible(cell)!r} in column {visible(name)}. Expected 1 or 0")
        true = [name for name, is_true in found.items() if is_true]
        if len(true) != 1:
            raise self._error(row, f"has a 1 in {listed(true) or 'none of the label columns'}. Expected one class")
        return true[0]

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
    places = places_of(header, "image")
    if len(places) != 1:
        raise DataError(
            f"The table {table} has {len(places) or 'no'} column{'s' if places else ''} image. Expected one, with the "
            f"paths of pictures; received {listed(header) or 'an empty file'}."
        )
    source, files = CsvSource(table), Files(table.parent)
    for row in rows[1:]:
        yield files.root / source.image(row, row.at(places[0]), files)
