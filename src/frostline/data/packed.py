"""All images of a data set at one size, as arrays on disk: decoded once, read by every later stage."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from frostline.atomic import atomic_folder
from frostline.config import PrepareConfig
from frostline.data.images import DECODER_VERSION, Resize, load_square, read_bytes
from frostline.data.manifest import read_manifest
from frostline.data.parallel import map_files
from frostline.errors import DataError, ImageError
from frostline.fingerprint import fingerprint
from frostline.spreadsheet import csv_text

__all__ = ["PackedImages", "read_packed", "write_packed"]


@dataclass(frozen=True, eq=False)
class PackedImages:
    """Square RGB images in the order of the manifest.

    `images` is uint8 [N, S, S, 3], mapped from disk; `labels` int64 [N] numbers into `classes`, which is sorted;
    `index` holds the manifest's rows. `fingerprint` names all of it but the splits: it covers pixels and labels.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    index: pd.DataFrame
    classes: tuple[str, ...]
    image_size: int
    resize: Resize
    fingerprint: str

    def training_sides(self) -> NDArray[np.int64]:
        """The shorter sides of the originals in the training split, in pixels."""
        training = self.index[self.index["split"] == "train"]
        return training[["width", "height"]].min(axis=1).to_numpy()


def write_packed(
    folder: Path, manifest: pd.DataFrame, root: Path, size: int, resize: Resize, prepare: PrepareConfig
) -> None:
    """Decode the images of `manifest`, whose paths start from `root`, to `size` pixels a side, into `folder`.

    Writes `images.npy`, `labels.npy`, `index.csv` and `packed.json`, all or none; memory does not grow with N.

    Raises:
        DataError: a file is not the one that the manifest was made from.
    """
    classes = sorted(set(manifest["label"]))
    files = list(zip(manifest["image"].tolist(), manifest["sha256"].tolist(), strict=True))
    with atomic_folder(folder) as temporary:
        images = open_memmap(temporary / "images.npy", mode="w+", dtype=np.uint8, shape=(len(manifest), size, size, 3))

        def pack(row: int) -> None:
            image, sha256 = files[row]
            try:
                data = read_bytes(root / image)
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise ImageError("changed", "its content is another one now")
                images[row] = load_square(data, size, resize, min_side=prepare.min_side, max_pixels=prepare.max_pixels)
            except ImageError as error:
                raise DataError(f"{image} is not as it was when prepared ({error}). Run: dvc repro.") from None

        for _ in map_files(pack, range(len(manifest)), "Packing images"):
            pass
        images.flush()
        np.save(temporary / "labels.npy", np.searchsorted(classes, manifest["label"].tolist()).astype(np.int64))
        (temporary / "index.csv").write_bytes(csv_text(manifest).encode())
        identity = {
            "sha256": manifest["sha256"].tolist(),
            "labels": manifest["label"].tolist(),
            "image_size": size,
            "resize": resize,
            "decoder": DECODER_VERSION,
        }
        facts = {"classes": classes, "image_size": size, "resize": resize, "fingerprint": fingerprint(identity)}
        (temporary / "packed.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_packed(folder: Path) -> PackedImages:
    """The arrays in `folder`; images stay on disk until used. Raises DataError if they are not there."""
    if not (folder / "packed.json").exists():
        raise DataError(f"{folder} holds no packed images. Make them with: dvc repro preprocess.")
    facts = json.loads((folder / "packed.json").read_text(encoding="utf-8"))
    return PackedImages(
        images=np.load(folder / "images.npy", mmap_mode="r"),
        labels=np.load(folder / "labels.npy"),
        index=read_manifest(folder / "index.csv"),
        classes=tuple(facts["classes"]),
        image_size=facts["image_size"],
        resize=facts["resize"],
        fingerprint=facts["fingerprint"],
    )
