"""`frostline relabel`: take back what a person has found out about single pictures."""

from collections import Counter
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from frostline.config.load import load_config
from frostline.data.corrections import LEAVE_OUT, Correction, Corrections
from frostline.data.manifest import read_manifest
from frostline.data.sources.record import as_word
from frostline.data.sources.table_text import read_rows
from frostline.errors import DataError
from frostline.runtime.progress import say
from frostline.text.nearest import did_you_mean
from frostline.text.phrases import counted, listed
from frostline.text.words import visible

__all__ = ["run"]

_IMAGE, _CORRECT = "image", "correct"


def run(dataset: str, table: Path) -> None:
    """Add the filled-in rows of `table` to `corrections/<dataset>.csv`, which `prepare` applies.

    Raises:
        DataError: `table` is none, or a row names no picture or no class of the data set, or contradicts another.
        ArtifactError: the data set was not prepared.
    """
    load_config().dataset(dataset)
    corrections = Corrections.of(dataset)
    pictures = _pictures(read_manifest(Path("data/prepared") / dataset / "manifest.csv"), corrections)
    said = _said(table, pictures)
    corrections.revised(
        Correction(image, pictures[image].sha256, pictures[image].given, label) for image, label in said.items()
    ).write()
    kinds = Counter(_kind(label, pictures[image].given) for image, label in said.items())
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    say(f"{corrections.file}: {counted(len(said), 'picture')} ({told}). Keep the file in git, and run: dvc repro.")
    if tested := sum(pictures[image].tests for image in said):
        say(f"{tested} of them in the test split: scores of before were measured with other labels.")


@dataclass(frozen=True)
class _Picture:
    """Its file's SHA-256, the source's class, and whether it is in the test split."""

    sha256: str
    given: str
    tests: bool


def _pictures(manifest: pd.DataFrame, corrections: Corrections) -> dict[str, _Picture]:
    """By name, those that are used, and those that were left out by a correction."""
    before = {row.sha256: row.given for row in corrections.rows}
    left_out = {row.image: _Picture(row.sha256, row.given, tests=False) for row in corrections.rows}
    used = zip(*(manifest[name].tolist() for name in ("image", "sha256", "label", "split")), strict=True)
    return left_out | {
        image: _Picture(sha256, before.get(sha256, label), split == "test") for image, sha256, label, split in used
    }


def _said(table: Path, pictures: Mapping[str, _Picture]) -> dict[str, str]:
    """The right class, or LEAVE_OUT, of each picture for which `table` has one."""
    if not table.is_file():
        raise DataError(f"There is no table {table}. Expected a CSV file with the columns {_IMAGE} and {_CORRECT}.")
    rows = read_rows(table, (_IMAGE, _CORRECT))
    header = [cell.strip().casefold() for cell in rows[0].cells] if rows else []
    if any(header.count(name) != 1 for name in (_IMAGE, _CORRECT)):
        raise DataError(
            f"{table} must have one column {_IMAGE} and one column {_CORRECT}, the right class; received "
            f"{listed(header) or 'an empty file'}."
        )
    classes = {picture.given for picture in pictures.values()}
    said: dict[str, str] = {}
    for row in rows[1:]:
        cells = dict(zip(header, row.cells, strict=False))
        if not as_word(cells.get(_CORRECT, "")):
            continue
        where = f"{table}, line {row.line}"
        image, label = _image(cells[_IMAGE], pictures, where), _label(cells[_CORRECT], classes, where)
        if said.setdefault(image, label) != label:
            raise DataError(f"{where}, says '{label}' of {visible(image)}, but a line before says '{said[image]}'.")
    if not said:
        raise DataError(
            f"The column {_CORRECT} of {table} is empty. Fill in the right class where the label is wrong, the same "
            f"class where it is right, or: {LEAVE_OUT}."
        )
    return said


def _image(cell: str, pictures: Container[str], where: str) -> str:
    for name in _meant(cell):
        if name in pictures:
            return name
    raise DataError(
        f"{where}, names the picture {visible(cell)}, which is not in the prepared data set. Expected a name as in the "
        f"column {_IMAGE} of its manifest.csv."
    )


def _label(cell: str, classes: Collection[str], where: str) -> str:
    for label in map(as_word, _meant(cell)):
        if label in classes:
            return label
    if as_word(cell).casefold() == LEAVE_OUT:
        return LEAVE_OUT
    raise DataError(
        f"{where}, has the class '{visible(as_word(cell))}', which the data set does not have. Expected one of its "
        f"classes, or: {LEAVE_OUT}.{did_you_mean(as_word(cell), classes)}"
    )


def _meant(cell: str) -> tuple[str, str]:
    """A cell as it is, and without the apostrophe that `csv_text` puts before what a spreadsheet would run."""
    return cell, cell.removeprefix("'")


def _kind(label: str, given: str) -> str:
    if label == LEAVE_OUT:
        return "left out"
    return "confirmed" if label == given else "relabelled"
