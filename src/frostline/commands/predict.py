"""`frostline predict`: label images with the champion."""

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.table import Table

from frostline.config.compute import ComputeConfig
from frostline.config.load import load_config
from frostline.data.sources.places import files_at
from frostline.errors import DataError
from frostline.files.growing import growing_file, part_of
from frostline.files.spreadsheet import csv_text
from frostline.registry.models import LoadedVersion, batches, load_champion
from frostline.runtime.progress import say, track
from frostline.runtime.terminal import console, plain
from frostline.serving.labelling import open_labelling
from frostline.text.phrases import counted
from frostline.tracking.runs import Tracker

__all__ = ["Format", "run"]

Format = Literal["table", "csv", "json", "jsonl"]


def run(places: Sequence[Path], dataset: str | None, form: Format | None, output: Path | None = None) -> bool:
    """Print a row per image of `places`, or write it to `output`; True if every image could be labelled.

    `places` are files, folders, patterns and tables. A table of labels holds path, label, probability and
    whether the picture is like a training image; CSV and JSON the probabilities of all classes as well. CSV is for
    people: what a spreadsheet would run as a formula has an apostrophe before it. JSON is for programs, and ASCII
    alone; `jsonl` has an object per line.

    `output` is written by the workers of params.yaml's `compute`, piece by piece: the same call goes on with what there
    is. Raises ConfigError if `dataset` is needed, DataError if there is no image, RegistryError if there is no
    champion, WriteError if `output` cannot be written.
    """
    config = load_config()
    name = config.dataset_name(dataset)
    form = form or (_form_of(output) if output else "table")
    if output and form not in ("csv", "jsonl"):
        raise DataError(f"{output} cannot be written as {form}: expected --format csv or jsonl.")
    files = files_at(places)
    champion = load_champion(Tracker.open(config.stores, name), name)
    if output:
        return _write(output, form, _without(output, files), champion, config.compute)
    return _print(form, files, champion)


def _form_of(output: Path) -> Format:
    forms: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl"}
    if output.suffix.lower() not in forms:
        raise DataError(f"{output} ends in neither .csv nor .jsonl: rename it, or say --format csv or jsonl.")
    return forms[output.suffix.lower()]


def _without(output: Path, files: Sequence[Path]) -> list[Path]:
    """`files`, but for `output` and what it grows in, which may lie in the folder that is labelled.

    Raises DataError if nothing is left.
    """
    own, part = str(output.absolute()), f"{part_of(output.absolute())}{os.sep}"
    others = [file for file in files if (path := str(file.absolute())) != own and not path.startswith(part)]
    if not others:
        raise DataError(f"There is no file to label but {output} itself.")
    return others


def _write(output: Path, form: Format, files: Sequence[Path], champion: LoadedVersion, compute: ComputeConfig) -> bool:
    digest = hashlib.sha256("\0".join(map(str, files)).encode("utf-8", "surrogateescape")).hexdigest()
    job = {
        "model": f"{champion.name} version {champion.number}",
        "images": f"{counted(len(files), 'file')} (SHA-256 of their paths {digest[:16]})",
        "format": form,
    }
    with growing_file(output, job) as written:
        if written.rows:
            say(f"{output.name}: {written.rows} of {counted(len(files), 'row')} are there already.")
        left = files[written.rows :]
        if left:
            with open_labelling(compute, champion) as label:
                for answers in track(label(batches(left)), "Labelling", len(left), size=len):
                    faults = int(answers["error"].astype(bool).sum())
                    written.append(_text(form, answers, header=not written.rows), len(answers), faults)
        faults = written.faults
    bad = f", {faults} of which could not be labelled" if faults else ""
    say(f"{output}: {counted(len(files), 'image')}{bad}, by {job['model']}.")
    return not faults


def _print(form: Format, files: Sequence[Path], champion: LoadedVersion) -> bool:
    unlabelled = False
    with open_labelling(ComputeConfig(), champion) as label:
        parts = track(label(batches(files)), "Labelling", len(files), size=len)
        if form in ("table", "json"):
            parts = iter([pd.concat(parts, ignore_index=True)])
        for number, answers in enumerate(parts):
            if form == "table":
                _print_table(answers)
            else:
                sys.stdout.write(_text(form, answers, header=number == 0))
            unlabelled |= bool(answers["error"].astype(bool).any())
    return not unlabelled


def _text(form: Format, answers: pd.DataFrame, *, header: bool) -> str:
    if form == "csv":
        return csv_text(answers, for_people=True, header=header)
    records = answers.astype(object).where(answers.notna(), None).to_dict("records")  # JSON has no NaN
    if form == "json":
        return f"{json.dumps(records, indent=2)}\n"
    return "".join(f"{json.dumps(record)}\n" for record in records)


def _print_table(answers: pd.DataFrame) -> None:
    table = Table(header_style="bold")
    told = "known" in answers
    for heading in ("image", "label", "probability", *(["known"] if told else [])):
        table.add_column(heading, overflow="fold")
    for answer in answers.to_dict("records"):
        image = plain(answer["image"])
        if answer["error"]:
            table.add_row(image, "[red]error[/red]", plain(answer["error"]))
        else:
            known = ["yes" if answer["known"] else "[yellow]no[/yellow]"] if told else []
            table.add_row(image, plain(answer["label"]), f"{answer['probability']:.3f}", *known)
    console().print(table)
