"""Data sets that a library loads by name: written once as files and a table of them, and from then on read as that."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from frostline.config.datasets import HuggingFaceConfig, TfdsConfig
from frostline.data.readers import FORMATS
from frostline.data.sources.digests import Digests
from frostline.data.sources.kept import RAW
from frostline.data.sources.record import Reading, Record
from frostline.data.sources.split_names import UNLABELLED, parse
from frostline.data.sources.table import CsvSource
from frostline.errors import DataError, FrostlineError, PackageError
from frostline.files.atomic import atomic_folder
from frostline.provenance import fingerprint
from frostline.runtime.progress import say
from frostline.runtime.project import in_project
from frostline.text.phrases import counted

__all__ = ["Library", "LibrarySource", "Picture", "package", "split_of"]

_TABLE = "pictures.csv"
_DIGITS = 12
_LONGEST = 40
_IN_A_FOLDER = 1000


@dataclass(frozen=True)
class Picture:
    """A picture file's bytes and label, of the split train, val, test, evaluation, or none (empty)."""

    content: bytes
    label: str
    split: str


class Library(Protocol):
    """What loads a data set."""

    @property
    def title(self) -> str:
        """The data set, as a person may see it."""

    @property
    def options(self) -> HuggingFaceConfig | TfdsConfig:
        """All that decides which pictures there are."""

    def pictures(self) -> Iterator[Picture]:
        """Each picture that has a label. Raises PackageError, DataError, and what the library raises."""


@dataclass(frozen=True)
class LibrarySource:
    """The pictures of `library`, kept in `data/raw/` as they were when they were first asked for."""

    library: Library

    @property
    def root(self) -> Path:
        """The folder of pictures and their table, which `read` makes."""
        options = self.library.options
        stem = re.sub(r"[^\w.-]+", "-", options.name).strip("-.")[-_LONGEST:]
        return in_project(RAW / f"{stem}-{fingerprint(options.origin)[:_DIGITS]}")

    def read(self) -> Reading:
        """One record per picture; the first call loads them.

        Raises:
            PackageError: the library is not installed.
            DataError: it cannot load the data set, or does not say what are pictures and labels.
        """
        if not self.root.exists():
            self._write()
        return CsvSource(self.root / _TABLE).read()

    def records(self) -> list[Record]:
        """The records of `read` alone."""
        return self.read().records

    def state(self, digests: Digests, /) -> str:
        """Fingerprint of the pictures' contents, labels and splits."""
        self.read()
        return CsvSource(self.root / _TABLE).state(digests)

    def to_fetch(self) -> str:
        """What the first reading does beside looking at files; nothing if that is done."""
        return "" if self.root.exists() else f"{self.library.title} will be loaded into {self.root}"

    def _write(self) -> None:
        with atomic_folder(self.root) as folder:
            rows = [
                (self._kept(folder, number, picture), picture.label, picture.split)
                for number, picture in enumerate(self._loaded())
            ]
            with (folder / _TABLE).open("w", newline="", encoding="utf-8") as text:
                csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("image", "label", "split"), *rows])
        say(f"{self.library.title}: {counted(len(rows), 'picture')} kept in {self.root}")

    def _loaded(self) -> Iterator[Picture]:
        try:
            yield from self.library.pictures()
        except FrostlineError:
            raise
        except Exception as error:  # whatever the network and the library raise
            reason = " ".join(str(error).split())[:1000].rstrip(".") or type(error).__name__
            raise DataError(
                f"{self.library.title} could not be loaded: {reason}. Mend its name under datasets in params.yaml; it "
                "needs the internet the first time. Without it, use source: folder."
            ) from error

    @staticmethod
    def _kept(folder: Path, number: int, picture: Picture) -> str:
        name = f"{number // _IN_A_FOLDER:04d}/{number:07d}.{_ending(picture.content)}"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(picture.content)
        return name


def package(name: str, distribution: str, extra: str) -> Any:
    """The package `name`. Raises PackageError, which names frostline's `extra`, if it is not installed."""
    try:
        metadata.version(distribution)
        return import_module(name)
    except (metadata.PackageNotFoundError, ImportError) as error:
        raise PackageError(
            f"The package {distribution} is not installed, or cannot be imported ({error}). "
            f"Install it: pip install 'frostline[{extra}]'."
        ) from error


def split_of(name: str) -> str | None:
    """train, val, test, evaluation or "" (none) for a library's split; None for one without labels."""
    split = parse(name).split
    return None if split == UNLABELLED else split or ""


def _ending(content: bytes) -> str:
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            return str(picture.format).lower()
    except Exception:  # no picture, or a damaged one: `prepare` says so
        return "bin"
