"""Find the files that a table names, though it may have been written on another system."""

import os
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePath

from frostline.data.sources.folder_names import is_picture_name
from frostline.data.sources.label_studio import files_meant

__all__ = ["Files", "foreign"]

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|data:image/")


def foreign(name: str) -> str:
    """What `name` is instead of the path of a file on this system, or nothing."""
    if _WINDOWS.match(name):
        return "a path of a Windows machine"
    return "an address" if _ADDRESS.match(name) else ""


@dataclass(frozen=True)
class Files:
    """The files that paths lead to from the folder `root`."""

    root: Path
    _names: dict[Path, dict[str, list[str]]] = field(default_factory=dict)
    _stems: dict[Path, dict[str, list[str]]] = field(default_factory=dict)

    def find(self, cell: str) -> str | None:
        """The path, relative to `root`, of the file that `cell` names; None if there is none.

        As it stands, if there is such a file; else without the spaces at its ends, in another Unicode form (where one
        file alone has that name), with Windows' backslashes as slashes, or as Label Studio means it, whichever comes
        first.
        """
        bare = cell.strip()
        for name in (cell, bare, bare.replace("\\", "/"), *files_meant(bare)):
            path = self.relative(name)
            if os.path.lexists(self.root / path):
                return path
            if found := self._in_another_form(path):
                return found
        return None

    def with_ending(self, cell: str) -> list[str]:
        """The pictures, relative to `root`, that `cell` names but for the ending: `a.jpg` and `a.PNG` for `a`."""
        path = PurePath(self.relative(cell.strip().replace("\\", "/")))
        folder = self.root / path.parent
        if folder not in self._stems:
            stems: dict[str, list[str]] = {}
            for name in chain.from_iterable(self._names_in(folder).values()):
                if is_picture_name(name):
                    stems.setdefault(_form(PurePath(name).stem), []).append(name)
            self._stems[folder] = stems
        return sorted((path.parent / name).as_posix() for name in self._stems[folder].get(_form(path.name), []))

    def relative(self, name: str) -> str:
        """Relative to `root` even if `name` is not, so that no output names this machine's folders."""
        path = os.path.relpath(name, self.root.absolute()) if PurePath(name).is_absolute() else os.path.normpath(name)
        return PurePath(path).as_posix()

    def _in_another_form(self, path: str) -> str | None:
        found = PurePath()
        for part in PurePath(path).parts:
            if os.path.lexists(self.root / found / part):
                found /= part
                continue
            names = self._names_in(self.root / found).get(_form(part), [])
            if len(names) != 1:
                return None
            found /= names[0]
        return found.as_posix()

    def _names_in(self, folder: Path) -> dict[str, list[str]]:
        """The names in `folder` by their Unicode form C; listed once."""
        if folder not in self._names:
            names: dict[str, list[str]] = {}
            with suppress(OSError):  # no such folder, or one that may not be listed
                for file in folder.iterdir():
                    names.setdefault(_form(file.name), []).append(file.name)
            self._names[folder] = names
        return self._names[folder]


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name)
