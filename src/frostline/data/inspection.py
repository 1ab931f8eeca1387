"""Open every picture once: is it usable, how large is it, what is in it?"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagehash

from frostline.config.schema import PrepareConfig
from frostline.data.images import decode_cost, open_picture, read_bytes
from frostline.data.levels import Levels, Span
from frostline.data.parallel import map_files
from frostline.data.sources import Record
from frostline.errors import ImageError

__all__ = ["Inspection", "inspect_records", "levels_of", "manifest_row", "near_black"]


@dataclass(frozen=True)
class Inspection:
    """A usable picture: its upright sides in pixels, the SHA-256 of its file, its 64-bit perceptual hash.

    `span` is the range of its values, where these have more than 8 bits and the file does not say what is white.
    """

    width: int
    height: int
    sha256: str
    phash: int
    span: Span | None = None


def inspect_records(
    records: Sequence[Record], root: Path, prepare: PrepareConfig
) -> list[tuple[Record, Inspection | ImageError]]:
    """Each record with what was found in its file, or with the error that keeps it from being used; in order."""

    def inspect(record: Record) -> Inspection | ImageError:
        try:
            return _inspect(record.image, root, prepare)
        except ImageError as error:
            return ImageError(error.reason, error.detail)  # the one that was raised keeps the file's bytes alive

    found = map_files(inspect, records, "Inspecting images", lambda record: decode_cost(root / record.image))
    return list(zip(records, found, strict=True))


def levels_of(found: Sequence[tuple[Record, Inspection | ImageError]]) -> Levels:
    """Black and white for all the usable pictures of `found` together."""
    return Levels.of(result.span for _, result in found if isinstance(result, Inspection) and result.span)


def near_black(found: Sequence[tuple[Record, Inspection | ImageError]], levels: Levels) -> dict[str, Any]:
    """How many usable pictures of `found` are nearly black by `levels`, and one of them as an example."""
    names = [
        record.image
        for record, result in found
        if isinstance(result, Inspection) and result.span and levels.leave_near_black(result.span)
    ]
    return {"images": len(names), "example": names[0] if names else None}


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
    picture = open_picture(data, min_side=prepare.min_side, max_pixels=prepare.max_pixels)
    rgb = picture.stretched()
    return Inspection(
        width=rgb.width,
        height=rgb.height,
        sha256=hashlib.sha256(data).hexdigest(),
        phash=int(str(imagehash.phash(rgb)), 16),
        span=picture.span(),
    )
