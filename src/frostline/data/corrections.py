"""What people say of single pictures: their right class, or that they are to be left out.

`frostline relabel` keeps it in `corrections/<data set>.csv`, which belongs to the project and into git; `prepare`
applies it. A picture is known by its file's content: it may be renamed, and its copies are corrected with it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from frostline.data.sources import Record
from frostline.data.sources.table_text import read_rows
from frostline.errors import DataError, ImageError
from frostline.files.atomic import atomic_file
from frostline.files.spreadsheet import csv_text
from frostline.provenance import fingerprint
from frostline.text.nearest import did_you_mean
from frostline.text.words import visible

if TYPE_CHECKING:  # what opens pictures is heavy, and the stage scan only reads the corrections
    from frostline.data.inspection import Inspection

    Found = tuple[Record, Inspection | ImageError]

__all__ = ["LEAVE_OUT", "Correction", "Corrections"]

LEAVE_OUT = "leave out"
"""What stands for the class of a picture that is not to be used."""

_COLUMNS = ("image", "sha256", "given", "label")


@dataclass(frozen=True)
class Correction:
    """One picture: its name and class when it was corrected, its file's SHA-256, and its right class or LEAVE_OUT.

    The right class may be the one that it has: then it is confirmed.
    """

    image: str
    sha256: str
    given: str
    label: str


@dataclass(frozen=True)
class Corrections:
    """The corrections in `file`, each picture once, by name."""

    file: Path
    rows: tuple[Correction, ...] = ()

    @classmethod
    def of(cls, dataset: str) -> Self:
        """Those of a data set; none where it has no file of them. Raises DataError if that is not such a table."""
        file = Path("corrections") / f"{dataset}.csv"
        if not file.exists():
            return cls(file)
        header, *rows = [row.cells for row in read_rows(file, _COLUMNS)] or [[]]
        if tuple(header) != _COLUMNS or any(len(row) != len(_COLUMNS) or not all(row) for row in rows):
            raise DataError(
                f"{file} is not as frostline relabel writes it: expected the columns {', '.join(_COLUMNS)}, all filled "
                "in. Mend it, or restore it with git."
            )
        return cls(file).revised(Correction(*row) for row in rows)

    def write(self) -> None:
        """Write the file as a whole. Raises WriteError where the system refuses."""
        import pandas as pd

        table = pd.DataFrame([vars(row) for row in self.rows], columns=list(_COLUMNS))
        with atomic_file(self.file) as path:
            path.write_bytes(csv_text(table).encode())

    def revised(self, later: Iterable[Correction]) -> Self:
        """These with `later` ones, which stand instead of those of the same content."""
        rows = {row.sha256: row for row in (*self.rows, *later)}
        return replace(self, rows=tuple(sorted(rows.values(), key=lambda row: (row.image, row.sha256))))

    def check(self, classes: Collection[str]) -> None:
        """Raise DataError if one of them names a class that is none of the source's `classes`."""
        for row in self.rows:
            if row.label not in (*classes, LEAVE_OUT):
                raise DataError(
                    f"{self.file} gives {visible(row.image)} the class '{visible(row.label)}', which the source does "
                    f"not have. Mend or remove its row.{did_you_mean(row.label, classes)}"
                )

    def apply(self, found: "Sequence[Found]") -> "list[Found]":
        """`found` with corrected records; what is to be left out has an ImageError, `left_out`."""
        corrected: list[Found] = []
        for record, result in found:
            correction = self._of(result)
            if correction is None:
                corrected.append((record, result))
            elif correction.label == LEAVE_OUT:
                corrected.append((record, ImageError("left_out", f"by {self.file.as_posix()}")))
            else:
                corrected.append((replace(record, label=correction.label), result))
        return corrected

    def applied(self, found: "Sequence[Found]") -> list[tuple[str, str, str]]:
        """The pictures of `found` that have a correction: their names, the source's class, and the right one."""
        return [
            (record.image, record.label, correction.label)
            for record, result in found
            if (correction := self._of(result))
        ]

    def unused(self, found: "Sequence[Found]") -> int:
        """How many of them are for no picture of `found`."""
        return len(self._by_content.keys() - {each.sha256 for _, each in found if not isinstance(each, ImageError)})

    @property
    def state(self) -> str:
        """A fingerprint that changes when what they say does."""
        return fingerprint(sorted([row.sha256, row.label] for row in self.rows))

    @cached_property
    def _by_content(self) -> dict[str, Correction]:
        return {row.sha256: row for row in self.rows}

    def _of(self, result: "Inspection | ImageError") -> Correction | None:
        return self._by_content.get(result.sha256) if not isinstance(result, ImageError) else None
