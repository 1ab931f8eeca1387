import errno
import os
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from frostline.errors import WriteError
from frostline.files.writing import check_writable, writing


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device. Name a place that is writable and has room"),
        (errno.EROFS, "Read-only file system. Name a place"),
        (errno.EACCES, "Permission denied. Name a place"),
        (errno.EDQUOT, "Disk quota exceeded. Name a place"),
        (errno.EMFILE, r"Too many open files. Raise the limit of open files \(ulimit -n\)"),
    ],
)
@pytest.mark.parametrize("named", [None, "below/file", "below", ""])
def test_what_the_system_refuses_of_a_file_is_one_clear_error(tmp_path: Path, number: int, words: str, named) -> None:
    error = OSError(number, os.strerror(number), *([] if named is None else [str(tmp_path / named)]))
    file = tmp_path / "below/file"
    with pytest.raises(WriteError, match=rf"{file} cannot be written: {words}") as caught, writing(file):
        raise error
    assert caught.value.__cause__ is error


def test_what_it_refuses_of_a_file_elsewhere_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), writing(tmp_path / "below/file"):
        (tmp_path / "elsewhere").read_text()


def test_a_lock_of_another_process_is_no_refusal(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock"), pytest.raises(Timeout), writing(tmp_path / "lock"):
        FileLock(tmp_path / "lock").acquire(timeout=0)


def test_a_place_is_looked_at_before_work_begins(tmp_path: Path) -> None:
    check_writable(tmp_path / "new/file")
    assert (tmp_path / "new/file").read_bytes() == b""
    with pytest.raises(WriteError, match="file/below cannot be written: File exists"):
        check_writable(tmp_path / "new/file/below")
