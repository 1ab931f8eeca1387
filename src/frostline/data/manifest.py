"""What a data set really has, as three files: the manifest, the quarantine, and a card that sums both up."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from frostline.config.schema import DatasetConfig, PrepareConfig
from frostline.data.class_checks import check_counts, check_splits
from frostline.data.corrections import LEAVE_OUT, Corrections
from frostline.data.inspection import Inspection, inspect_records, levels_of, manifest_row, near_black
from frostline.data.levels import Levels
from frostline.data.selection import select
from frostline.data.sources import Record, Source
from frostline.data.splits import assign_splits
from frostline.errors import DataError, ImageError
from frostline.files.atomic import atomic_folder
from frostline.files.outputs import output_of
from frostline.files.reading import reading
from frostline.files.spreadsheet import csv_text
from frostline.provenance import DECODER_VERSION, Pictures, versions
from frostline.runtime.progress import say
from frostline.text.phrases import listed
from frostline.text.words import encodable

__all__ = [
    "COLUMNS",
    "Prepared",
    "build",
    "other_columns",
    "read_corrected",
    "read_levels",
    "read_manifest",
    "write_prepared",
]

COLUMNS = ("image", "label", "split", "group", "width", "height", "sha256")
_APART = "source."
_CORRECTED = ["image", "given", "label"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the prepare stage writes.

    `manifest` has a row per usable image, sorted by image: image, label, split, group, width, height, sha256 and the
    source's other columns (see `other_columns`). `quarantine` has a row per other image: image, reason, detail.
    `corrected` has a row per image whose class a person has said: image, given (by the source), label. `card` sums all
    of it up.
    """

    manifest: pd.DataFrame
    quarantine: pd.DataFrame
    corrected: pd.DataFrame
    card: dict[str, Any]


def build(
    source: Source,
    config: DatasetConfig,
    prepare: PrepareConfig,
    seed: int,
    corrections: Corrections | None = None,
) -> Prepared:
    """Open every image of `source`, the one that `config` describes, and decide which are used and for what.

    Raises:
        DataError: fewer than two classes, a class with too few usable images, or one with none to train or test on;
            or `corrections` name a class that the source does not have.
    """
    with reading(source.root, DataError):
        listing = source.read()
    for line in listing.lines():
        say(line)
    labels = listing.counts()
    if len(labels) < 2:
        raise DataError(
            f"A classifier needs at least 2 classes, but the source has {len(labels)}: {listed(labels) or 'none'}."
        )
    found = inspect_records(sorted(listing.records, key=_order), source.root, prepare)
    corrections = corrections or Corrections(Path())
    corrections.check(labels)
    corrected = pd.DataFrame(corrections.applied(found), columns=_CORRECTED, dtype=str)
    unused = corrections.unused(found)
    found = corrections.apply(found)
    records = [record for record, _ in found]
    levels = levels_of(found)
    usable = [
        manifest_row(record, result) | {"row": row}
        for row, (record, result) in enumerate(found)
        if isinstance(result, Inspection)
    ]
    unusable = [
        (encodable(record.image), result.reason, result.detail)
        for record, result in found
        if isinstance(result, ImageError)
    ]
    quarantine = pd.DataFrame(unusable, columns=["image", "reason", "detail"], dtype=str)
    if usable:
        images, unselected = select(pd.DataFrame(usable), prepare.near_duplicate_bits)
        quarantine = pd.concat([quarantine, unselected])
    else:
        images = pd.DataFrame(columns=[*COLUMNS, "row"])
    quarantine = quarantine.sort_values(["image", "reason", "detail"], ignore_index=True)
    label_of = {encodable(record.image): record.label for record in records}
    check_counts(labels, images, quarantine.assign(label=quarantine["image"].map(label_of)), prepare)
    splits = assign_splits(
        images["label"].tolist(),
        images["group"].tolist(),
        images["split"].tolist(),
        test_fraction=prepare.test_fraction,
        seed=seed,
    )
    others = _others([records[row] for row in images["row"]])
    manifest = pd.concat([images.assign(split=splits)[list(COLUMNS)], others], axis=1)
    check_splits(manifest, records, prepare)
    card = _card(manifest, quarantine, config, prepare, seed)
    card |= {"folders": listing.folders, "left_out": listing.left_out}
    card |= {"levels": levels.as_dict(), "near_black": near_black(found, levels)}
    card |= {"corrected": _corrected(corrected, unused)}
    return Prepared(manifest, quarantine, corrected, card)


def write_prepared(folder: Path, prepared: Prepared) -> None:
    """Write `manifest.csv`, `quarantine.csv`, `corrected.csv` and `card.json` to `folder`, all or none."""
    with atomic_folder(folder) as temporary:
        for name in ("manifest", "quarantine", "corrected"):
            (temporary / f"{name}.csv").write_bytes(csv_text(getattr(prepared, name)).encode())
        card = json.dumps(prepared.card, indent=2, ensure_ascii=False) + "\n"
        (temporary / "card.json").write_bytes(card.encode())


def read_manifest(file: Path, stage: str = "prepare") -> pd.DataFrame:
    """A manifest as `stage` wrote it: every column str but width and height, int64. Raises ArtifactError."""
    with output_of(stage, file):
        columns = pd.read_csv(file, nrows=0, encoding="utf-8").columns
        types: dict[str, type] = {column: int if column in ("width", "height") else str for column in columns}
        # "NA" and "null" are labels like any other.
        manifest = pd.read_csv(file, dtype=types, keep_default_na=False, encoding="utf-8")
        return manifest[[*COLUMNS, *other_columns(manifest).values()]]


def other_columns(manifest: pd.DataFrame) -> dict[str, str]:
    """The columns that the source has besides frostline's own: their names there, and in `manifest`.

    The two differ where the source's name could be taken for one of frostline's.
    """
    return {str(column).removeprefix(_APART): str(column) for column in manifest.columns if column not in COLUMNS}


def read_levels(folder: Path) -> Levels:
    """The levels that `card.json` in `folder` says. Raises ArtifactError if it says none."""
    with output_of("prepare", folder / "card.json"):
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        return Levels.from_dict(card["levels"])


def read_corrected(folder: Path) -> pd.DataFrame:
    """The images in `folder` whose class a person has said: image, given, label, all str. Raises ArtifactError."""
    with output_of("prepare", folder / "corrected.csv"):
        return pd.read_csv(folder / "corrected.csv", dtype=str, keep_default_na=False, encoding="utf-8")[_CORRECTED]


def _order(record: Record) -> tuple[str, ...]:
    extra = (part for pair in sorted(record.extra.items()) for part in pair)
    return (record.image, record.label, record.split or "", record.group or "", *extra)


def _others(records: list[Record]) -> pd.DataFrame:
    """The source's other columns, a row per record, under names that are none of frostline's."""
    names = sorted({name for record in records for name in record.extra})
    return pd.DataFrame(
        {
            _APART + name if name in COLUMNS or name.startswith(_APART) else name: [
                record.extra.get(name, "") for record in records
            ]
            for name in names
        },
        index=range(len(records)),
        dtype=str,
    )


def _card(
    manifest: pd.DataFrame, quarantine: pd.DataFrame, config: DatasetConfig, prepare: PrepareConfig, seed: int
) -> dict[str, Any]:
    options = config.origin
    for key in ("path", "folder", "name"):  # the card names no folder of this machine
        if Path(options.get(key) or "").is_absolute():
            options[key] = Path(options[key]).name
    group_sizes = manifest["group"].value_counts()
    shared = group_sizes[group_sizes > 1]
    reasons = _counts(quarantine["reason"])
    return {
        "source": options,
        "prepare": prepare.model_dump(mode="json"),
        "seed": seed,
        # `preprocess` reads pictures with the same, and is redone when this folder changes.
        "decoder": {"version": DECODER_VERSION} | versions(Pictures.libraries),
        "images": len(manifest),
        "classes": {label: _counts(rows["split"]) for label, rows in manifest.groupby("label")},
        "splits": _counts(manifest["split"]),
        "quarantined": reasons,
        "duplicates": reasons.get("duplicate", 0),
        "groups": {"count": len(shared), "images": int(shared.sum()), "largest": int(group_sizes.max())},
        "width": _spread(manifest["width"]),
        "height": _spread(manifest["height"]),
        "fingerprint": hashlib.sha256(csv_text(manifest).encode()).hexdigest(),
    }


def _corrected(corrected: pd.DataFrame, unused: int) -> dict[str, int]:
    """How many images were given another class, keep theirs, or are left out; `unused` corrections are for none."""
    left_out, same = corrected["label"] == LEAVE_OUT, corrected["label"] == corrected["given"]
    return {
        "relabelled": int((~left_out & ~same).sum()),
        "confirmed": int(same.sum()),
        "left_out": int(left_out.sum()),
        "unused": unused,
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _spread(values: pd.Series) -> dict[str, float]:
    return {"min": float(values.min()), "median": float(values.median()), "max": float(values.max())}
