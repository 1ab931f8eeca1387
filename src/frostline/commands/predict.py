"""`frostline predict`: label images with the champion."""

import json
import sys
from collections.abc import Iterator, Sequence
from glob import escape, glob, has_magic
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.table import Table

from frostline.config.load import load_config
from frostline.data.sources.ignored import is_ignored
from frostline.data.sources.walk import Walk
from frostline.errors import DataError
from frostline.files.reading import reading
from frostline.files.spreadsheet import csv_text
from frostline.registry.models import batches, load_champion, predict
from frostline.runtime.progress import track
from frostline.runtime.terminal import console, plain
from frostline.tracking.runs import Tracker

__all__ = ["Format", "run"]

Format = Literal["table", "csv", "json"]


def run(places: Sequence[Path], dataset: str | None, form: Format) -> bool:
    """Print a row per image of `places` (files, folders and patterns); True if every image could be labelled.

    A table holds path, label and probability; CSV and JSON the probabilities of all classes as well. CSV is for people:
    what a spreadsheet would run as a formula has an apostrophe before it. JSON is for programs, and ASCII alone.

    Raises ConfigError if `dataset` is needed, DataError if there is no image, RegistryError if there is no champion.
    """
    config = load_config()
    name = config.dataset_name(dataset)
    files: list[Path] = []
    for place in places:
        with reading(place, DataError):
            found = list(_files(place))
        if not found:
            raise DataError(f"{place} holds or matches no file. Name image files, folders or patterns.")
        files += found
    model = load_champion(Tracker.open(config.stores, name), name).model
    parts = batches(files)
    answers = pd.concat(
        [predict(model, part) for part in track(parts, "Labelling, by batches", len(parts))], ignore_index=True
    )
    if form == "csv":
        sys.stdout.write(csv_text(answers, for_people=True))
    elif form == "json":
        rows = answers.astype(object).where(answers.notna(), None).to_dict("records")  # JSON has no NaN
        print(json.dumps(rows, indent=2))
    else:
        _print_table(answers)
    return not answers["error"].astype(bool).any()


def _files(place: Path) -> Iterator[Path]:
    """A file itself, the files of a folder as training takes them, or what matches a pattern."""
    if place.is_dir():
        yield from Walk().files_below(place)
    elif has_magic(str(place)) and not place.exists():
        there = next(folder for folder in place.parents if folder.is_dir())  # its brackets are part of its name
        pattern = Path(escape(str(there)), *place.parts[len(there.parts) :])
        for match in sorted(glob(str(pattern), recursive=True)):  # noqa: PTH207  # a pattern may be absolute
            if not any(is_ignored(part) for part in Path(match).parts if part not in place.parts):
                yield from _files(Path(match))
    else:
        yield place


def _print_table(answers: pd.DataFrame) -> None:
    table = Table(header_style="bold")
    for heading in ("image", "label", "probability"):
        table.add_column(heading, overflow="fold")
    for answer in answers.to_dict("records"):
        image = plain(answer["image"])
        if answer["error"]:
            table.add_row(image, "[red]error[/red]", plain(answer["error"]))
        else:
            table.add_row(image, plain(answer["label"]), f"{answer['probability']:.3f}")
    console().print(table)
