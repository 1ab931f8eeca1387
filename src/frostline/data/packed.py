"""All images of a data set at one size, as arrays on disk: decoded once, read by every later stage."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from frostline.config.schema import PrepareConfig
from frostline.config.types import Resize
from frostline.data.images import decode_cost, load_square, read_bytes
from frostline.data.levels import OWN_LEVELS, Levels
from frostline.data.manifest import read_manifest
from frostline.data.parallel import map_files
from frostline.errors import DataError, ImageError
from frostline.files.atomic import atomic_folder
from frostline.files.outputs import output_of
from frostline.files.spreadsheet import csv_text
from frostline.provenance import fingerprint

__all__ = ["Form", "PackedImages", "read_packed", "write_packed"]


@dataclass(frozen=True)
class Form:
    """What pictures are packed to: squares of `image_size` pixels a side, made by `resize`.

    `levels`, the data set's, say what is black and white in pictures of more than 8 bits.
    """

    image_size: int
    resize: Resize
    levels: Levels = OWN_LEVELS

    def as_dict(self) -> dict[str, Any]:
        """The form as plain values."""
        return {"image_size": self.image_size, "resize": self.resize, "levels": self.levels.as_dict()}


@dataclass(frozen=True, eq=False)
class PackedImages:
    """Square RGB images in the order of the manifest.

    `images` is uint8 [N, S, S, 3], mapped from disk; `labels` int64 [N] numbers into `classes`, which is sorted;
    `index` holds the manifest's rows. `fingerprint` names all of it but the splits: it covers pixels and labels.
    Files and decoder are in it by their pixels alone, so that what changes no pixel leaves it as it is.
    `levels` say what was taken for black and white in pictures of more than 8 bits.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    index: pd.DataFrame
    classes: tuple[str, ...]
    image_size: int
    resize: Resize
    fingerprint: str
    levels: Levels = OWN_LEVELS

    def training_sides(self) -> NDArray[np.int64]:
        """The shorter sides of the originals that are not in the test split, in pixels."""
        training = self.index[self.index["split"] != "test"]
        return training[["width", "height"]].min(axis=1).to_numpy()


def write_packed(folder: Path, manifest: pd.DataFrame, root: Path, form: Form, prepare: PrepareConfig) -> None:
    """Decode the images of `manifest`, whose paths start from `root`, to `form`, into `folder`.

    Writes `images.npy`, `labels.npy`, `index.csv` and `packed.json`, all or none; memory does not grow with N.

    Raises:
        DataError: a file is not the one that the manifest was made from.
        WriteError: the system refuses, as on a full disk.
    """
    classes = sorted(set(manifest["label"]))
    files = list(zip(manifest["image"].tolist(), manifest["sha256"].tolist(), strict=True))
    with atomic_folder(folder) as temporary:
        pixels = _write_images(temporary / "images.npy", files, root, form, prepare)
        np.save(temporary / "labels.npy", np.searchsorted(classes, manifest["label"].tolist()).astype(np.int64))
        (temporary / "index.csv").write_bytes(csv_text(manifest).encode())
        identity = {"pixels": pixels, "labels": manifest["label"].tolist(), **form.as_dict()}
        facts = {"classes": classes, **form.as_dict(), "fingerprint": fingerprint(identity)}
        (temporary / "packed.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_images(
    path: Path, files: Sequence[tuple[str, str]], root: Path, form: Form, prepare: PrepareConfig
) -> list[str]:
    """Write `images.npy` row by row, and give each row's SHA-256.

    Not through a map: on a full disk that would end the process, not raise.
    """
    shape = (len(files), form.image_size, form.image_size, 3)
    digests = [""] * len(files)
    turn = Lock()
    with path.open("wb") as file:
        write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start = file.tell()

        def pack(row: int) -> None:
            image, sha256 = files[row]
            try:
                data = read_bytes(root / image)
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise ImageError("changed", "its content is another one now")
                limits = {"min_side": prepare.min_side, "max_pixels": prepare.max_pixels}
                square = load_square(data, form.image_size, form.resize, levels=form.levels, **limits)
            except ImageError as error:
                raise DataError(f"{image} is not as it was when prepared ({error}). Run: dvc repro.") from None
            pixels = square.tobytes()
            digests[row] = hashlib.sha256(pixels).hexdigest()
            with turn:
                file.seek(start + row * len(pixels))
                file.write(pixels)

        for _ in map_files(pack, range(len(files)), "Packing images", lambda row: decode_cost(root / files[row][0])):
            pass
    return digests


def read_packed(folder: Path) -> PackedImages:
    """The arrays in `folder`; images stay on disk until used. Raises ArtifactError if they are not there."""
    with output_of("preprocess", folder / "packed.json"):
        facts = json.loads((folder / "packed.json").read_text(encoding="utf-8"))
        levels = Levels.from_dict(facts["levels"])
        return PackedImages(
            images=np.load(folder / "images.npy", mmap_mode="r"),
            labels=np.load(folder / "labels.npy"),
            index=read_manifest(folder / "index.csv", "preprocess"),
            classes=tuple(facts["classes"]),
            image_size=facts["image_size"],
            resize=facts["resize"],
            fingerprint=facts["fingerprint"],
            levels=levels,
        )
