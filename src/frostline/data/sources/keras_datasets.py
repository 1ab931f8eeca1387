"""keras.datasets by name, written once as PNG files and from then on read as a folder."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from frostline.data.sources.digests import Digests
from frostline.data.sources.folder import FolderSource
from frostline.data.sources.record import Reading, Record
from frostline.errors import DataError
from frostline.files.atomic import atomic_folder
from frostline.provenance import fingerprint
from frostline.runtime.project import in_project

__all__ = ["KerasSource"]

_CLASSES = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "fashion_mnist": (
        *("t-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle-boot"),
    ),
}


@dataclass(frozen=True)
class KerasSource:
    """keras.datasets.`name`, kept in `data/raw/<name>/` with Keras's own train and test split."""

    name: str

    @property
    def root(self) -> Path:
        """The folder of PNG files, which `records` makes."""
        return in_project(Path("data/raw") / self.name)

    def read(self) -> Reading:
        """One record per picture; the first call downloads. Raises DataError if Keras cannot."""
        if not self.root.exists():
            self._write()
        return FolderSource(self.root).read()

    def records(self) -> list[Record]:
        """The records of `read` alone."""
        return self.read().records

    def state(self, _: Digests, /) -> str:
        """Fingerprint of the name: Keras never changes the pictures behind it."""
        return fingerprint(["keras.datasets", self.name])

    def to_fetch(self) -> str:
        """What the first reading does beside looking at files; nothing if that is done."""
        return "" if self.root.exists() else f"Keras will download it into {self.root}"

    def _write(self) -> None:
        try:
            splits = getattr(importlib.import_module("keras").datasets, self.name).load_data()
        except Exception as error:  # whatever the network and the archive's reader raise
            raise DataError(
                f"keras.datasets.{self.name} could not be loaded: {error}. It needs the internet the first time; "
                "without it, use source: folder."
            ) from error
        with atomic_folder(self.root) as folder:
            for split, (images, labels) in zip(("train", "test"), splits, strict=True):
                for number, (image, label) in enumerate(zip(images, labels.reshape(-1), strict=True)):
                    file = folder / split / self._label(label) / f"{number:05d}.png"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(image).save(file)

    def _label(self, label: Any) -> str:
        names = _CLASSES.get(self.name)
        return names[int(label)] if names else f"{int(label):02d}"
