"""A file that grows: killed wherever it may be, it goes on and ends as if it had not been."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import WriteError
from frostline.files.growing import growing_file

JOB = {"model": "cells version 1", "format": "csv"}
PIECES = ["a,b\n1,2\n", "3,ü\n4,5\n", "6,7\n"]
ROWS, FAULTS = [1, 2, 1], [0, 2, 1]


def write(path: Path, job: dict[str, str] = JOB, until: int = len(PIECES)) -> tuple[int, int]:
    """Append the pieces that are not there yet, as many as `until` allows, and then be killed; rows and faults."""
    with growing_file(path, job) as file:
        begun = {sum(ROWS[:number]): number for number in range(len(ROWS) + 1)}[file.rows]
        for number in range(begun, until):
            file.append(PIECES[number], ROWS[number], FAULTS[number])
        if until < len(PIECES):
            raise KeyboardInterrupt
        return file.rows, file.faults


def interrupt(path: Path, until: int) -> Path:
    with pytest.raises(KeyboardInterrupt):
        write(path, until=until)
    return path.with_name(f"{path.name}.part")


def test_it_is_there_when_it_is_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.csv"
    assert write(path) == (4, 3)
    assert path.read_text(encoding="utf-8") == "".join(PIECES)
    assert [file.name for file in path.parent.iterdir()] == ["answers.csv"]


@given(st.integers(0, 2), st.integers(0, 40), st.integers(0, 40))
def test_cut_off_anywhere_it_goes_on(
    tmp_path_factory: pytest.TempPathFactory, until: int, text: int, lines: int
) -> None:
    path = tmp_path_factory.mktemp("growing") / "answers.csv"
    path.write_text("the one before")
    folder = interrupt(path, until)
    for name, lost in (("text", text), ("pieces", lines)):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: max(0, len(content) - lost)])
    assert path.read_text() == "the one before"
    assert write(path) == (4, 3)
    assert path.read_text(encoding="utf-8") == "".join(PIECES)
    assert not folder.exists()


def test_rows_of_a_piece_that_was_not_finished_are_not_doubled(tmp_path: Path) -> None:
    folder = interrupt(tmp_path / "answers.csv", 1)
    with (folder / "text").open("ab") as text:
        text.write(PIECES[1].encode())
    with (folder / "pieces").open("ab") as pieces:
        pieces.write(b"2")
    write(tmp_path / "answers.csv")
    assert (tmp_path / "answers.csv").read_text(encoding="utf-8") == "".join(PIECES)


def test_another_job_is_refused_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    folder = interrupt(path, 2)
    with pytest.raises(
        WriteError, match=r"part holds was begun otherwise: model cells version 1 there, 2 now\. Delete"
    ):
        write(path, JOB | {"model": "2"})
    assert (folder / "text").read_text(encoding="utf-8") == "".join(PIECES[:2])
    assert write(path) == (4, 3)


@pytest.mark.parametrize("job", ["", "{", "[1]", "{}"])
def test_a_damaged_job_is_refused_as_another_one(tmp_path: Path, job: str) -> None:
    path = tmp_path / "answers.csv"
    (interrupt(path, 2) / "job.json").write_text(job)
    with pytest.raises(
        WriteError, match=r"begun otherwise: model None there, cells version 1 now; format None there, csv now\."
    ):
        write(path)


@pytest.mark.parametrize("pieces", [b"no numbers here\n", b"1 2\n", b"-1 0 0\n", b"99999 1 0\n", b"\xff\n"])
def test_damaged_lines_are_made_again(tmp_path: Path, pieces: bytes) -> None:
    path = tmp_path / "answers.csv"
    (interrupt(path, 2) / "pieces").write_bytes(pieces)
    assert write(path) == (4, 3)
    assert path.read_text(encoding="utf-8") == "".join(PIECES)


def test_what_fails_elsewhere_is_raised_as_it_was_and_frees_the_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    with pytest.raises(ConnectionError, match=r"^the cluster$") as failed, growing_file(path, JOB):
        raise ConnectionError("the cluster")
    assert write(path) == (4, 3)
    assert failed.type is ConnectionError


def test_of_two_at_once_one_is_told(tmp_path: Path) -> None:
    path, told = tmp_path / "answers.csv", []

    def second() -> None:
        with pytest.raises(WriteError, match=r"answers.csv is being written by another process"):
            write(path)
        told.append(True)

    with growing_file(path, JOB) as file:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        for piece, rows, faults in zip(PIECES, ROWS, FAULTS, strict=True):
            file.append(piece, rows, faults)
    assert told == [True]
    assert path.read_text(encoding="utf-8") == "".join(PIECES)


def test_a_place_that_takes_no_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"cannot be written: .* Name a place that is writable"):
        write(tmp_path / "file" / "answers.csv")
    with pytest.raises(WriteError, match=r"is a folder\. Name a file\."):
        write(tmp_path)
