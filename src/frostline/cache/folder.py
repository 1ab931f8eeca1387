"""What the prefix cache holds on disk: to be shown, and pruned from the least recently used on."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.files.atomic import tidy
from frostline.files.writing import writing

__all__ = ["CacheFolder", "Entry"]


@dataclass(frozen=True)
class Entry:
    """One file: what it was computed from (`identity`), its name (`map-3`, `fold-4f1c`), size and time of last use.

    `bytes` is what it takes on disk, which is less than its length until every row is filled; `used` is in seconds
    since the epoch.
    """

    path: Path
    identity: dict[str, Any]
    name: str
    bytes: int
    used: float


@dataclass(frozen=True)
class CacheFolder:
    """A folder with a sub-folder per network, data set and view, or per cell, each with files `<name>.values`."""

    path: Path

    def entries(self) -> list[Entry]:
        """Every file, the least recently used first."""
        return sorted(self._entries(), key=lambda entry: (entry.used, entry.path))

    def prune(self, limit_bytes: float, keep: Collection[Path] = ()) -> list[Entry]:
        """Delete the least recently used files, none in `keep`, until `limit_bytes` is met; give those deleted.

        A process that has one open goes on reading what it has. What killed writers left goes too. Raises WriteError.
        """
        for folder in self.path.glob("*/"):
            tidy(folder)
        entries = self.entries()
        held = sum(entry.bytes for entry in entries)
        deleted = []
        for entry in entries:
            if held > limit_bytes and entry.path not in keep:
                with writing(entry.path):
                    entry.path.with_suffix(".checks").unlink(missing_ok=True)
                    entry.path.unlink(missing_ok=True)
                held -= entry.bytes
                deleted.append(entry)
        return deleted

    def _entries(self) -> Iterator[Entry]:
        for file in self.path.glob("*/identity.json"):
            try:
                identity = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                identity = {}
            if not isinstance(identity, dict):
                identity = {}
            for path in file.parent.glob("*.values"):
                try:
                    status = path.stat()
                except FileNotFoundError:  # another process pruned it
                    continue
                yield Entry(path, identity, path.stem, status.st_blocks * 512, status.st_mtime)
