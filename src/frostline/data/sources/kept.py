"""Archives of pictures, each unpacked once and kept in `data/raw/`, in a folder that its content names."""

import re
from pathlib import Path

from frostline.data.sources.archives import is_archive_name
from frostline.data.sources.digests import Digests
from frostline.data.sources.unpacking import unpack
from frostline.errors import DataError
from frostline.files.atomic import atomic_folder
from frostline.files.reading import reading
from frostline.provenance import fingerprint
from frostline.runtime.progress import say
from frostline.runtime.project import in_project
from frostline.text.phrases import counted

__all__ = ["RAW", "is_archive", "is_file", "is_unpacked", "stem", "unpacked"]

RAW = Path("data/raw")
"""Where files are kept that frostline unpacks, downloads or has of a library, from the project's folder."""

_DIGITS = 12
_LONGEST = 40


def is_file(path: Path) -> bool:
    """Whether `path` is a file; not where the system refuses to tell, which reading it will say."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_archive(path: Path) -> bool:
    """Whether `path` is a file that is called like an archive."""
    return is_archive_name(path) and is_file(path)


def unpacked(archive: Path) -> Path:
    """The folder with what `archive` holds: unpacked at the first call, and when the archive has changed.

    Raises:
        DataError: it cannot be read, or is not unpacked (see `unpack`).
        WriteError: there is no room.
    """
    with reading(archive, DataError):
        archive.open("rb").close()
        [digest] = _memory(archive).of([archive])
        folder = _place(archive, digest)
        if not folder.is_dir():
            say(f"{archive}: unpacking {archive.stat().st_size / 1e6:.1f} MB")
            with atomic_folder(folder) as new:
                count = unpack(archive, new)
            say(f"{archive}: {counted(count, 'file')} unpacked into {folder}")
    return folder


def is_unpacked(archive: Path) -> bool:
    """Whether `unpacked` would have nothing to do; nothing is written."""
    digest = _memory(archive).known(archive)
    return bool(digest) and _place(archive, digest).is_dir()


def stem(file: Path) -> str:
    """The name without its ends: `photos` of photos.tar.gz."""
    return (re.sub(r"(\.tar)?\.[^.]*$", "", file.name, flags=re.IGNORECASE) or file.name)[:_LONGEST]


def _memory(archive: Path) -> Digests:
    return Digests(in_project(RAW / "archives" / f"{fingerprint(str(archive.absolute()))[:_DIGITS]}.json"))


def _place(archive: Path, digest: str) -> Path:
    return in_project(RAW / f"{stem(archive)}-{digest[:_DIGITS]}")
