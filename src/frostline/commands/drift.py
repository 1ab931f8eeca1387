"""`frostline drift`: whether pictures are still like the test images, as far as the champion's answers show it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.table import Table

from frostline.config.compute import ComputeConfig
from frostline.config.load import load_config
from frostline.data.sources.places import files_at
from frostline.errors import DataError, RegistryError
from frostline.evaluation.answered import Answered
from frostline.evaluation.drift import FEWEST, Drift, compare
from frostline.files.reading import reading
from frostline.registry.models import LoadedVersion, batches, load_champion
from frostline.runtime.progress import say, track
from frostline.runtime.terminal import console, plain
from frostline.serving.labelling import open_labelling
from frostline.text.phrases import counted
from frostline.tracking.runs import Tracker

__all__ = ["run"]

_WIDTH = 120
_SHOWN = 20
_LEAST = 0.0001


def run(places: Sequence[Path], dataset: str | None, form: Literal["table", "json"], level: float) -> bool:
    """Compare the pictures of `places` with the test images, and print how they differ; True if drift is seen.

    `places` are those of `frostline predict`, or one table that its --output wrote, which is read instead.

    Raises ConfigError if `dataset` is needed, DataError if there are too few pictures, RegistryError if there is no
    champion, or none that carries its answers to test images.
    """
    config = load_config()
    name = config.dataset_name(dataset)
    champion = load_champion(Tracker.open(config.stores, name), name)
    version = f"{champion.name} version {champion.number}"
    reference = champion.test_answers
    if reference is None:
        raise RegistryError(
            f"{version} carries no answers to test images, as versions of before do not: run `dvc repro`, and "
            f"`frostline promote {name}`."
        )
    answers = _written(places, reference.classes)
    if answers is None:
        answers = _label(champion, files_at(places))
    unusable = int((answers["error"].notna() & (answers["error"] != "")).sum())
    if unusable:
        say(f"{counted(unusable, 'picture')} of {len(answers)} could not be labelled, and do not count.")
    found = compare(reference, Answered.of(answers, reference.classes), level)
    if found.verdict == "too few pictures":
        raise DataError(f"{found.words} Name more pictures.")
    if form == "json":
        told = {"model": {"name": champion.name, "version": champion.number}}
        print(json.dumps(told | found.model_dump(), indent=2))
    else:
        _show(found, version)
    say(found.words)
    return found.seen


def _label(champion: LoadedVersion, files: Sequence[Path]) -> pd.DataFrame:
    if len(files) < FEWEST:
        raise DataError(f"There are {counted(len(files), 'file')}: {FEWEST} pictures at least are needed. Name more.")
    with open_labelling(ComputeConfig(), champion) as label:
        parts = track(label(batches(files)), "Labelling", len(files), size=len)
        return pd.concat(parts, ignore_index=True)


def _written(places: Sequence[Path], classes: tuple[str, ...]) -> pd.DataFrame | None:
    """What `frostline predict` has written, if that is the only one of `places`. Raises DataError if it is damaged."""
    numbers = [f"probability_{name}" for name in classes]
    if len(places) != 1 or places[0].suffix.lower() not in (".csv", ".jsonl") or not places[0].is_file():
        return None
    (place,) = places
    is_json = place.suffix.lower() == ".jsonl"
    with reading(place, DataError):
        try:
            table = pd.read_json(place, lines=True) if is_json else pd.read_csv(place)
            numeric = table.columns.intersection([*numbers, "strangeness"])
            table[numeric] = table[numeric].apply(pd.to_numeric)
        except ValueError as error:
            raise DataError(f"{place} cannot be read as a table: {error}. Write it again.") from error
    if {"error", *numbers} <= set(table):
        return table
    if is_json:
        raise DataError(f"{place} does not hold answers of this champion, but a picture is no {place.suffix}.")
    return None  # it names pictures


def _show(found: Drift, version: str) -> None:
    """Print what lies farthest apart; of many classes, JSON has them all."""
    title = f"{found.pictures} pictures against {found.reference} test images, by {version}"
    table = Table(title=plain(title), header_style="bold")
    for heading in ("answers", "distance (95%)", "p", "p beyond other shares"):
        table.add_column(heading)
    for quantity in sorted(found.quantities, key=lambda each: each.p)[:_SHOWN]:
        ends = (_p(quantity.p), "" if quantity.p_beyond_shares is None else _p(quantity.p_beyond_shares))
        style = "bold red" if quantity.name in found.because else None
        table.add_row(plain(quantity.name), plain(str(quantity.distance)), *ends, style=style)
    shares = Table(header_style="bold")
    for heading in ("labelled as", "of the test images (95%)", "of the pictures (95%)"):
        shares.add_column(heading)
    for share in sorted(found.shares, key=lambda each: -abs(each.pictures.value - each.reference.value))[:_SHOWN]:
        shares.add_row(*map(plain, (share.name, str(share.reference), str(share.pictures))))
    screen = console(_WIDTH)
    screen.print(table)
    screen.print(shares)


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= _LEAST else f"< {_LEAST:.4f}"
