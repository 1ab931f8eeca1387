"""What files hold, as digests that are remembered: of a million files only those that changed are opened again.

Sizes and times alone would not do. They differ in every clone of a repository, where nothing is to be done again.
"""

import hashlib
import json
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frostline.data.parallel import map_files
from frostline.files.atomic import atomic_file

__all__ = ["Digests"]


@dataclass(frozen=True)
class Digests:
    """Digests of files, kept in the JSON file `memory` with the size and times that each file had."""

    memory: Path

    def of(self, files: Sequence[Path]) -> list[str]:
        """The SHA-256 of each of `files`, in hexadecimal; empty for what is no file, or cannot be read.

        Raises WriteError if `memory` cannot be written.
        """
        paths = [str(file.absolute()) for file in files]
        stamps = {path: _stamp(path) for path in paths}
        known = self._remembered()
        digests = {path: known[path][1] for path in stamps if path in known and known[path][0] == stamps[path]}
        new = [path for path, stamp in stamps.items() if stamp and path not in digests]
        if new:
            digests |= zip(new, map_files(_digest, new, "Reading files"), strict=True)
            self._remember({path: (stamps[path], digest) for path, digest in digests.items() if digest})
        return [digests.get(path, "") for path in paths]

    def known(self, file: Path) -> str:
        """The digest of `file` that is remembered, if the file is as it was then; else nothing. Nothing is written."""
        path = str(file.absolute())
        stamp, digest = self._remembered().get(path, ("", ""))
        return digest if stamp == _stamp(path) else ""

    def _remembered(self) -> dict[str, tuple[str, str]]:
        try:
            return {path: (stamp, digest) for path, (stamp, digest) in json.loads(self.memory.read_bytes()).items()}
        except (OSError, ValueError, TypeError, AttributeError):  # absent or damaged: it is made anew
            return {}

    def _remember(self, found: dict[str, tuple[str, str]]) -> None:
        with atomic_file(self.memory) as file:
            file.write_text(json.dumps(found), encoding="utf-8")


def _stamp(path: str) -> str:
    """What tells that a file is as it was when it was read; empty for what is no file."""
    try:
        status = Path(path).stat()
    except OSError:
        return ""
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{status.st_size} {times}" if stat.S_ISREG(status.st_mode) else ""


def _digest(path: str) -> str:
    try:
        with Path(path).open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return ""
