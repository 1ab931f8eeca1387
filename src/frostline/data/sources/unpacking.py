"""Write what an archive holds into a folder, and nothing anywhere else, whoever made the archive."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from frostline.data.sources.archives import Entry, damage_told, entries
from frostline.errors import DataError
from frostline.text.phrases import counted
from frostline.text.words import encodable

__all__ = ["unpack"]

_FREE = 1_000_000_000
_LARGEST_RATIO = 100
"""An archive that unpacks to more than a gigabyte, and to more than so many times its size, is taken for a bomb."""
_ENTRY = 512
_CHUNK = 1 << 20
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_BAD_NAMES = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)


def unpack(archive: Path, folder: Path) -> int:
    """Write the files of `archive` below the empty `folder`, and return how many. Links to files in it become copies.

    Raises DataError if the archive is damaged, encrypted, of no known form, larger than any archive of pictures, or
    holds what could reach outside `folder` (absolute names, "..", links, devices). What is written then may stay.
    """
    unpacking = _Unpacking(archive, folder, most=max(_FREE, _LARGEST_RATIO * archive.stat().st_size))
    for entry in entries(archive):
        unpacking.write(entry)
    unpacking.copy_links()
    return unpacking.files


@dataclass
class _Unpacking:
    archive: Path
    folder: Path
    most: int
    files: int = 0
    _bytes: int = 0
    _links: dict[PurePosixPath, PurePosixPath] = field(default_factory=dict)

    def write(self, entry: Entry) -> None:
        name = self._inside(entry.name)
        self._take(_ENTRY)
        if entry.special:
            raise self._refusal(entry.name, "a device or pipe")
        if entry.target:
            start = PurePosixPath() if entry.hard else name.parent
            self._links[name] = self._resolved(entry, start)
            return
        place = self.folder / name
        with self._naming(entry.name):
            (place if entry.content is None else place.parent).mkdir(parents=True, exist_ok=True)
            if entry.content is None:
                return
            with place.open("wb") as file:
                while chunk := self._read(entry):
                    file.write(chunk)
        self.files += 1

    def copy_links(self) -> None:
        """Make a copy for each link, of the file that it leads to over any number of links."""
        for name, first in self._links.items():
            target, passed = first, {name}
            while target in self._links and target not in passed:
                passed.add(target)
                target = self._links[target]
            source = self.folder / target
            if target in passed or not source.is_file():
                raise self._refusal(str(name), f"a link to {first}, which is no file in the archive")
            self._take(source.stat().st_size)
            with self._naming(str(name)):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, self.folder / name)
            self.files += 1

    def _read(self, entry: Entry) -> bytes:
        with damage_told(self.archive):
            chunk = entry.content.read(_CHUNK) if entry.content else b""
        self._take(len(chunk))
        return chunk

    def _take(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self.most:
            raise DataError(
                f"{self.archive} unpacks to more than {self.most / 1e9:.1f} GB, over {_LARGEST_RATIO} times its size, "
                f"after {counted(self.files, 'file')}: no archive of pictures does. If it is not made to fill disks, "
                "unpack it yourself and let `path` under datasets in params.yaml name the folder."
            )

    def _inside(self, name: str) -> PurePosixPath:
        path = PurePosixPath(name)
        if path.is_absolute() or _DRIVE.match(name) or ".." in path.parts or "\0" in name:
            raise self._refusal(name, "a name that leads out of it")
        return path

    def _resolved(self, entry: Entry, start: PurePosixPath) -> PurePosixPath:
        """Where a link leads, from the archive's top."""
        if PurePosixPath(entry.target).is_absolute() or _DRIVE.match(entry.target):
            raise self._refusal(entry.name, f"a link out of it, to {entry.target}")
        parts: list[str] = []
        for part in (start / entry.target).parts:
            if part != "..":
                parts.append(part)
            elif parts:
                parts.pop()
            else:
                raise self._refusal(entry.name, f"a link out of it, to {entry.target}")
        return PurePosixPath(*parts)

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _BAD_NAMES:
                raise
            raise self._refusal(name, f"a name that this system cannot write ({error.strerror})") from None

    def _refusal(self, name: str, what: str) -> DataError:
        return DataError(
            f"{self.archive} is not unpacked, because it holds '{encodable(name)}': {encodable(what)}. If you trust "
            "it, unpack it yourself, and let `path` under datasets in params.yaml name the folder."
        )
