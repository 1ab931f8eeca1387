"""Digests of files: what is remembered, and what is read again."""

import hashlib
import os
from pathlib import Path

import pytest

from frostline.data.sources import digests
from frostline.data.sources.digests import Digests
from frostline.errors import WriteError


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read."""
    names: list[str] = []
    read = digests._digest

    def watched(path: str) -> str:
        names.append(Path(path).name)
        return read(path)

    monkeypatch.setattr(digests, "_digest", watched)
    return names


def files(folder: Path) -> list[Path]:
    for name in ("a", "b"):
        (folder / name).write_text(name)
    return [folder / "a", folder / "b"]


def test_only_what_changed_is_read_again(tmp_path: Path, opened: list[str]) -> None:
    paths, memory = files(tmp_path), tmp_path / "memory.json"
    expected = [hashlib.sha256(name).hexdigest() for name in (b"a", b"b")]
    assert Digests(memory).of(paths) == Digests(memory).of(paths) == expected
    assert sorted(opened) == ["a", "b"]
    before = (tmp_path / "a").stat()
    (tmp_path / "a").write_text("c")
    os.utime(tmp_path / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Digests(memory).of(paths) == [hashlib.sha256(b"c").hexdigest(), expected[1]]
    assert sorted(opened) == ["a", "a", "b"]


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": [1, 2, 3]}'])
def test_a_damaged_memory_is_made_anew(tmp_path: Path, opened: list[str], content: str) -> None:
    paths, memory = files(tmp_path), tmp_path / "memory.json"
    memory.write_text(content)
    assert Digests(memory).of(paths) == Digests(memory).of(paths)
    assert sorted(opened) == ["a", "b"]


def test_what_is_no_file_is_not_opened(tmp_path: Path, opened: list[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    paths = [tmp_path / "pipe", tmp_path / "link", tmp_path]
    assert Digests(tmp_path / "memory.json").of(paths) == ["", "", ""]
    assert opened == []


def test_a_memory_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, where a folder is needed")
    with pytest.raises(WriteError, match=r"memory\.json cannot be written"):
        Digests(tmp_path / "cache" / "memory.json").of(files(tmp_path))
