"""An archive of a folder of pictures, read as that folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from frostline.data.sources.digests import Digests
from frostline.data.sources.folder import FolderSource
from frostline.data.sources.kept import RAW, is_file, is_unpacked, unpacked
from frostline.data.sources.record import Reading, Record
from frostline.errors import DataError
from frostline.runtime.project import in_project

__all__ = ["ArchiveSource"]


@dataclass(frozen=True)
class ArchiveSource:
    """A ZIP or TAR of what `FolderSource` reads."""

    path: Path

    @property
    def root(self) -> Path:
        """The folder that it is unpacked into, now if it was not before; without an archive, its path."""
        return unpacked(self.path) if is_file(self.path) else self.path

    def read(self) -> Reading:
        """What `FolderSource` reads of it. Raises DataError if it is absent, or cannot be unpacked."""
        with self._named():
            return self._folder().read()

    def records(self) -> list[Record]:
        """The records of `read` alone."""
        return self.read().records

    def state(self, digests: Digests, /) -> str:
        """Fingerprint of what `FolderSource` would read: packing the same pictures again changes nothing."""
        with self._named():
            return self._folder().state(digests)

    def to_fetch(self) -> str:
        """What the first reading does beside looking at files; nothing if that is done."""
        if not is_file(self.path) or is_unpacked(self.path):
            return ""
        return f"{self.path} will be unpacked into {in_project(RAW)}"

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say of which archive the folder is that an error is about."""
        try:
            yield
        except DataError as error:
            if str(self.path) in str(error):
                raise
            raise DataError(f"{self.path}, unpacked: {error}") from None

    def _folder(self) -> FolderSource:
        if not is_file(self.path):
            raise DataError(
                f"The archive {self.path} does not exist (seen from {Path.cwd()}). "
                "Mend `path` under datasets in params.yaml."
            )
        return FolderSource(self.root)
