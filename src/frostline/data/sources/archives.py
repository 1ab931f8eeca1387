"""What ZIP and TAR archives hold, entry by entry, whatever their names end in."""

import errno
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from frostline.errors import DataError

__all__ = ["Entry", "damage_told", "entries", "is_archive_name"]

_ENDS = (".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard",
}
_ZIP, _COMPRESSED = (b"PK\x03\x04", b"PK\x05\x06"), (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
_DAMAGES = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, RuntimeError, ValueError, LookupError, OverflowError),  # Python's readers raise them of odd bytes
)
_UNIX = 3
_ENCRYPTED, _UTF8 = 0x1, 0x800
_LONGEST_LINK = 4096
_BLOCK = 512
_UNPACK = "Unpack it yourself, and let `path` under datasets in params.yaml name the folder"


@dataclass(frozen=True)
class Entry:
    """A file with its `content` of `size` bytes, to be read before the next entry is asked for; or a link to `target`.

    `target` starts from the link's own folder, or, where it is a `hard` link, from the archive's top. What has neither
    is a folder; `special` is anything else, such as a device.
    """

    name: str
    size: int = 0
    content: IO[bytes] | None = None
    target: str = ""
    hard: bool = False
    special: bool = False


def is_archive_name(path: Path) -> bool:
    """Whether a file of this name should be an archive."""
    return path.name.lower().endswith(_ENDS)


def entries(archive: Path) -> Iterator[Entry]:
    """What `archive` holds, in its order.

    Raises DataError, here and while a content is read through `damage_told`, if it is damaged, encrypted, or of a form
    that is not read.
    """
    with archive.open("rb") as file:
        head = file.read(8)
    other = next((what for mark, what in _OTHERS.items() if head.startswith(mark)), "")
    if other:
        raise DataError(f"{archive} is {other}, which is not read. {_UNPACK}, or pack the pictures as ZIP or TAR.")
    with damage_told(archive):
        if head.startswith(_ZIP):
            yield from _of_zip(archive)
        elif head.startswith(_COMPRESSED) or tarfile.is_tarfile(archive):
            yield from _of_tar(archive)
        elif zipfile.is_zipfile(archive):  # behind something else, such as a program that unpacks it
            yield from _of_zip(archive)
        else:
            raise DataError(
                f"{archive} is neither a folder nor a ZIP or TAR archive. Let `path` under datasets in params.yaml "
                "name one of these; for a table of pictures say source: csv."
            )


@contextmanager
def damage_told(archive: Path) -> Iterator[None]:
    """Read `archive` in the block. Raises DataError where it is damaged, or packed by a method that is not known."""
    try:
        yield
    except NotImplementedError as error:
        raise DataError(f"{archive} is packed in a way that is not read: {error}. {_UNPACK}.") from None
    except (*_DAMAGES, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # the system's own
            raise
        raise DataError(
            f"{archive} is damaged, or its copy is incomplete: {str(error) or type(error).__name__}. Copy or download "
            "it again."
        ) from None


def _of_zip(path: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name, mode = _zip_name(info), info.external_attr >> 16 if info.create_system == _UNIX else 0
            if info.flag_bits & _ENCRYPTED:
                raise DataError(f"{path} is encrypted. {_UNPACK}.")
            if name.endswith("/"):
                yield Entry(name)
            elif stat.S_ISLNK(mode):
                with archive.open(info) as content:
                    yield Entry(name, target=content.read(_LONGEST_LINK).decode("utf-8", "surrogateescape"))
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                yield Entry(name, special=True)
            else:
                with archive.open(info) as content:
                    yield Entry(name, info.file_size, content)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """ZIP knows CP437 and, marked, UTF-8; many programs write UTF-8 unmarked, and Windows' own separators."""
    name = info.filename
    if not info.flag_bits & _UTF8:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    return name if info.create_system == _UNIX else name.replace("\\", "/")


def _of_tar(path: Path) -> Iterator[Entry]:
    with tarfile.open(path) as archive:
        while member := archive.next():
            if member.isdir():
                yield Entry(member.name)
            elif member.isreg():
                yield Entry(member.name, member.size, archive.extractfile(member))
            elif member.issym() or member.islnk():
                yield Entry(member.name, target=member.linkname, hard=member.islnk())
            else:
                yield Entry(member.name, special=True)
            archive.members.clear()  # type: ignore[attr-defined]  # of a million files the list would take a gigabyte
        _check_end(cast(IO[bytes], archive.fileobj), archive.offset)


def _check_end(file: IO[bytes], offset: int) -> None:
    """Raise ReadError if no block of zeros ends the archive: Python's reader takes a damaged header for the end."""
    file.seek(offset)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise tarfile.ReadError(f"it has no end, or a damaged header at byte {offset}")
    while file.read(1 << 20):  # a decompressor checks what it gave when it comes to its end
        pass
