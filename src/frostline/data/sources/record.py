"""What every source gives: records of pictures below a root, what it left out, and a fingerprint of it all."""

import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from frostline.data.sources.digests import Digests
from frostline.provenance import fingerprint
from frostline.text.phrases import counted, listed
from frostline.text.words import encodable

__all__ = ["Reading", "Record", "Source", "as_word", "state_of"]


@dataclass(frozen=True)
class Record:
    """One picture as its source names it; whether the file is usable is found out later.

    `image` is a path relative to the source's root, with forward slashes. `split` is train, val, test or None;
    `group` names pictures that must share a split, or is None; `extra` holds the source's other columns.
    """

    image: str
    label: str
    split: str | None = None
    group: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What a source was read as.

    `folders` names the folders of each class, those of a class without files too; it is empty where classes are not
    folders. `left_out` names what became nothing (folders, files, columns), with the reason. Paths are relative to the
    source's root.
    """

    records: list[Record]
    folders: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """The number of records of each class, in the order of their names."""
        counts = Counter(record.label for record in self.records)
        return {label: counts[label] for label in sorted(counts.keys() | self.folders.keys())}

    def lines(self) -> list[str]:
        """What became classes and what was left out, in words, a line each."""
        counts = self.counts()
        classes = [f"{label} ({counted(count, 'file')}{self._places(label)})" for label, count in counts.items()]
        reasons: dict[str, list[str]] = {}
        for name, why in self.left_out.items():
            reasons.setdefault(why, []).append(name)
        left_out = [f"{listed(names)} ({why})" for why, names in reasons.items()]
        return [
            f"{counted(len(classes), 'class', 'classes')}: {listed(classes)}",
            f"left out: {'; '.join(left_out) or 'nothing'}",
        ]

    def _places(self, label: str) -> str:
        return f" in {listed(self.folders[label])}" if label in self.folders else ""


class Source(Protocol):
    """Labelled pictures below `root`."""

    @property
    def root(self) -> Path:
        """The folder that the records' paths start from."""

    def read(self) -> Reading:
        """Every picture that the source names, and what it leaves out. Raises DataError if it cannot be used."""

    def records(self) -> list[Record]:
        """The records of `read` alone."""

    def state(self, digests: Digests, /) -> str:
        """A fingerprint that changes when the source's pictures or labels do, cheap with `digests` of before.

        It is the same wherever the same pictures lie. Raises as `read` does, and WriteError as `digests` does.
        """

    def to_fetch(self) -> str:
        """What the first reading downloads or unpacks, in words; nothing if that is done."""


def as_word(text: str) -> str:
    """A label, group or column name in the one form in which they are compared and kept.

    That is Unicode's form C, without spaces at its ends, and with bytes that are no text escaped.
    """
    return unicodedata.normalize("NFC", encodable(text)).strip()


def state_of(root: Path, reading: Reading, digests: Digests) -> str:
    """Fingerprint of the classes, and of every record with the content of its file."""
    contents = digests.of([root / record.image for record in reading.records])
    states = (_record_state(record, content) for record, content in zip(reading.records, contents, strict=True))
    return fingerprint([sorted(reading.folders), sorted(states)])


def _record_state(record: Record, content: str) -> list[Any]:
    extra = sorted(record.extra.items())
    return [encodable(record.image), record.label, record.split or "", record.group or "", extra, content]
