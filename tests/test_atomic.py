import errno
from pathlib import Path

import pytest

from frostline.atomic import atomic_file, atomic_folder
from frostline.errors import WriteError


def test_file_appears_whole_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "deep/er/file.txt"
    for text in ("first", "second"):
        with atomic_file(target) as temporary:
            temporary.write_text(text)
            assert not target.exists() or target.read_text() == "first"
        assert target.read_text() == text
    assert list(target.parent.iterdir()) == [target]


def test_folder_appears_whole_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for name in ("first", "second"):
        with atomic_folder(target) as temporary:
            (temporary / name).touch()
        assert [file.name for file in target.iterdir()] == [name]
    assert list(tmp_path.iterdir()) == [target]


def test_failure_keeps_what_was_there(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("old")
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(ZeroDivisionError), atomic_file(file) as temporary:
        temporary.write_text(str(1 / 0))
    with pytest.raises(ZeroDivisionError), atomic_folder(folder) as temporary:
        (temporary / "new").write_text(str(1 / 0))
    assert file.read_text() == "old"
    assert [entry.name for entry in folder.iterdir()] == ["old"]
    assert sorted(tmp_path.iterdir()) == [file, folder]


@pytest.mark.parametrize("writer", [atomic_file, atomic_folder])
def test_a_place_that_cannot_be_is_one_clear_error(tmp_path: Path, writer) -> None:
    (tmp_path / "file").write_text("old")
    path = tmp_path / "file" / "below"
    with pytest.raises(WriteError, match=f"{path} cannot be written: .*writable and has room"), writer(path):
        pytest.fail("there is no such place")
    assert (tmp_path / "file").read_text() == "old"


def test_a_file_does_not_replace_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder" / "kept").mkdir(parents=True)
    with pytest.raises(WriteError, match="cannot be written: Is a directory"), atomic_file(tmp_path / "folder") as file:
        file.touch()
    assert [entry.name for entry in tmp_path.glob("**/*")] == ["folder", "kept"]


@pytest.mark.parametrize("writer", [atomic_file, atomic_folder])
def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path: Path, writer) -> None:
    with (
        pytest.raises(WriteError, match="target cannot be written: No space left on device"),
        writer(tmp_path / "target"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
