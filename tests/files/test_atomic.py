import errno
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from frostline.errors import WriteError
from frostline.files.atomic import atomic_file, atomic_folder, tidy


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


UNCHANGED = ("before mkdir", "after mkdir", "before rename", "after rename", "before rename 2")
SWAPPED = ("nothing", "after rename 2", "before rmtree", "after rmtree")


@pytest.mark.parametrize("step", [*UNCHANGED, *SWAPPED])
def test_a_folder_is_whole_wherever_its_writer_is_killed(tmp_path: Path, step: str) -> None:
    target = tmp_path / "folder"
    _write(target, "old")
    assert _killed(target, step, "new") == (0 if step == "nothing" else -signal.SIGKILL)
    tidy(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]
    assert _content(target) == (
        "new" if step in ("nothing", "after rename 2", "before rmtree", "after rmtree") else "old"
    )
    _write(target, "newer")
    assert _content(target) == "newer"
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_the_next_writer_tidies_up_and_a_folder_that_somebody_removed_stays_away(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    _write(target, "old")
    _killed(target, "after rename 2", "new")
    shutil.rmtree(target)
    with atomic_file(tmp_path / "file") as file:
        file.touch()
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_writer_whose_folder_is_tidied_away_while_it_locks_it_takes_another(tmp_path: Path, monkeypatch) -> None:
    """Another process found nobody's lock there, and removes what this one has just made."""
    taken = []

    class Overtaken(FileLock):
        def acquire(self, *arguments: object, **options: object) -> object:
            got = super().acquire(*arguments, **options)
            taken.append(Path(self.lock_file).parent)
            if len(taken) == 1:
                shutil.rmtree(taken[0])
            return got

    monkeypatch.setattr("frostline.files.atomic.FileLock", Overtaken)
    with atomic_file(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert len(set(taken)) == 2
    assert [each.read_text() for each in tmp_path.iterdir()] == ["new"]


def test_what_a_living_writer_holds_is_left_alone(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "slow") as slow:
        _write(tmp_path / "quick", "quick")
        tidy(tmp_path)
        (slow / "text").write_text("slow")
    assert [_content(tmp_path / name) for name in ("slow", "quick")] == ["slow", "quick"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_swap_that_the_system_refuses_puts_the_old_folder_back(tmp_path: Path, monkeypatch) -> None:
    target = tmp_path / "folder"
    _write(target, "old")
    rename = Path.rename

    def refuse(path: Path, to: Path) -> Path:
        if to == target and "new" in path.parts:
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(WriteError, match="folder cannot be written: Input/output error"):
        _write(target, "new")
    assert _content(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


def _write(target: Path, text: str) -> None:
    with atomic_folder(target) as folder:
        (folder / "text").write_text(text)


def _content(target: Path) -> str:
    return (target / "text").read_text()


def _killed(target: Path, step: str, text: str) -> int:
    """Write in a process that kills itself at a step, such as `before rename 2`; give how it ended."""
    script = f"""
import os, shutil, signal
from pathlib import Path
from frostline.files.atomic import atomic_folder
left = {{{step!r}.rstrip(" 2"): 2 if {step!r}.endswith("2") else 1}}
def reached(what):
    if what in left:
        left[what] -= 1
        if not left[what]:
            os.kill(os.getpid(), signal.SIGKILL)
def watched(name, original):
    def call(*arguments, **options):
        reached("before " + name)
        result = original(*arguments, **options)
        reached("after " + name)
        return result
    return call
for owner, name in ((Path, "mkdir"), (Path, "rename"), (shutil, "rmtree")):
    setattr(owner, name, watched(name, getattr(owner, name)))
with atomic_folder(Path({str(target)!r})) as folder:
    (folder / "text").write_text({text!r})
"""
    return subprocess.run([sys.executable, "-c", script], check=False).returncode
