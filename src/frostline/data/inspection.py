"""Open every picture once: is it usable, how large is it, what is in it?"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagehash

from frostline.config import PrepareConfig
from frostline.data.images import decode, read_bytes
from frostline.data.parallel import map_files
from frostline.data.sources import Record
from frostline.errors import ImageError

__all__ = ["Inspection", "inspect_records", "manifest_row"]


@dataclass(frozen=True)
class Inspection:
    """A usable picture: its upright sides in pixels, the SHA-256 of its file, its 64-bit perceptual hash."""

    width: int
    height: int
    sha256: str
    phash: int


def inspect_records(
    records: Sequence[Record], root: Path, prepare: PrepareConfig
) -> list[tuple[Record, Inspection | ImageError]]:
    """Each record with what was found in its file, or with the error that keeps it from being used; in order."""

    def inspect(record: Record) -> Inspection | ImageError:
        try:
            return _inspect(record.image, root, prepare)
        except ImageError as error:
            return error

    return list(zip(records, map_files(inspect, records, "Inspecting images"), strict=True))


def manifest_row(record: Record, found: Inspection) -> dict[str, Any]:
    """What the manifest knows of a usable picture, but for its source's other columns; without a split it trains."""
    return {
        "image": record.image,
        "label": record.label,
        "split": record.split or "train",
        "source_group": record.group,
        "width": found.width,
        "height": found.height,
        "sha256": found.sha256,
        "phash": found.phash,
    }


def _inspect(image: str, root: Path, prepare: PrepareConfig) -> Inspection:
    try:
        image.encode()
    except UnicodeEncodeError:  # such a name could be opened, but not written into any table
        raise ImageError("unreadable", "its name is not valid UTF-8") from None
    data = read_bytes(root / image)
    picture = decode(data, min_side=prepare.min_side, max_pixels=prepare.max_pixels)
    return Inspection(
        width=picture.width,
        height=picture.height,
        sha256=hashlib.sha256(data).hexdigest(),
        phash=int(str(imagehash.phash(picture)), 16),
    )
