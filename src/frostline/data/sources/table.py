"""A CSV file with the columns image and label, and optionally split and group."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path, PurePath

from frostline.data.sources.record import SPLIT_NAMES, Record, files_state
from frostline.errors import DataError
from frostline.fingerprint import fingerprint

__all__ = ["CsvSource"]

_OWN_COLUMNS = {"image", "label", "split", "group"}
_WRITTEN_COLUMNS = {"width", "height", "sha256"}


@dataclass(frozen=True)
class CsvSource:
    """Pictures named by a table; their paths are absolute or relative to the table's folder."""

    path: Path

    @property
    def root(self) -> Path:
        """The folder of the table."""
        return self.path.parent

    def records(self) -> list[Record]:
        """One record per row. Raises DataError for missing columns, empty cells and unknown splits."""
        return [self._record(number, row) for number, row in self._rows()]

    def state(self) -> str:
        """Fingerprint of the table's rows and of the named files' sizes and modification times."""
        records = self.records()
        rows = [[record.label, record.split, record.group, record.extra] for record in records]
        return fingerprint([rows, files_state(self.root, (record.image for record in records))])

    def _rows(self) -> list[tuple[int, dict[str, str]]]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file, restval="", strict=True)
                self._check_columns([*(reader.fieldnames or [])])
                rows = [(reader.line_num, row) for row in reader]
        except FileNotFoundError:
            raise DataError(
                f"The table {self.path} does not exist (seen from {Path.cwd()}). "
                "Mend `path` under datasets in params.yaml."
            ) from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"The table {self.path} cannot be read as CSV in UTF-8: {error}.") from None
        if not rows:
            raise DataError(f"The table {self.path} has no rows below its header.")
        return rows

    def _check_columns(self, columns: list[str]) -> None:
        missing = [column for column in ("image", "label") if column not in columns]
        if missing:
            raise DataError(
                f"The table {self.path} lacks the column(s) {', '.join(missing)}. Expected image, label and optionally "
                f"split, group; received {', '.join(columns) or 'an empty file'}."
            )
        taken = sorted(_WRITTEN_COLUMNS.intersection(columns))
        if taken or len(set(columns)) < len(columns):
            raise DataError(
                f"The table {self.path} has columns {', '.join(columns)}. Each must have its own name, and "
                f"{', '.join(sorted(_WRITTEN_COLUMNS))} are measured by frostline: rename them."
            )

    def _record(self, number: int, row: dict[str, str]) -> Record:
        where = f"The table {self.path}, line {number},"
        if None in row:
            raise DataError(f"{where} has more cells than the header has columns.")
        for column in ("image", "label"):
            if not row[column].strip():
                raise DataError(f"{where} has an empty {column}. Fill it in, or remove the row.")
        split = row.get("split", "").strip().lower()
        if split and split not in SPLIT_NAMES:
            raise DataError(
                f"{where} has split '{row['split']}'. Expected one of {', '.join(SPLIT_NAMES)}, or nothing."
            )
        return Record(
            image=self._relative(row["image"].strip()),
            label=row["label"].strip(),
            split=SPLIT_NAMES.get(split),
            group=row.get("group", "").strip() or None,
            extra={column: cell for column, cell in row.items() if column not in _OWN_COLUMNS},
        )

    def _relative(self, image: str) -> str:
        """Relative to the root even if the table says otherwise, so that no output names this machine's folders."""
        path = (
            os.path.relpath(image, self.root.absolute()) if PurePath(image).is_absolute() else os.path.normpath(image)
        )
        return PurePath(path).as_posix()
