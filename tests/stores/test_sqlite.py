"""Locked, full, read-only and damaged SQLite files, through SQLAlchemy, MLflow and Optuna."""

import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, create_engine, exc, text

from frostline.config.schema import StoresConfig
from frostline.errors import StoreError
from frostline.runtime.ending import ended
from frostline.stores import sqlite
from frostline.stores.sqlite import check, wait_aloud
from frostline.tracking.runs import Run, Tracker


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER UNIQUE)")
    return tmp_path / "store.db"


@pytest.fixture
def engine(file: Path) -> Engine:
    wait_aloud()
    return create_engine(f"sqlite:///{file}")


@pytest.fixture(autouse=True)
def a_clock_that_goes_ten_seconds_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    times = count(0, 10)
    monkeypatch.setattr(sqlite, "time", SimpleNamespace(monotonic=lambda: next(times), sleep=lambda _: None))
    monkeypatch.setattr(sqlite, "_SILENT_SECONDS", 0.01)


@pytest.fixture
def locked(file: Path) -> Iterator[sqlite3.Connection]:
    """Another program that writes."""
    other = sqlite3.connect(file)
    other.execute("BEGIN EXCLUSIVE")
    yield other
    other.close()


@pytest.mark.parametrize("numbers", [{"number": 1}, [{"number": 1}, {"number": 2}]])
def test_who_waits_says_so_and_goes_on(engine: Engine, file: Path, locked, monkeypatch, numbers) -> None:
    said = []

    def say(line: str) -> None:
        said.append(line)
        locked.rollback()

    monkeypatch.setattr(sqlite, "say", say)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (:number)"), numbers)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT number FROM numbers")).scalars().all()
    assert rows == ([1] if isinstance(numbers, dict) else [1, 2])
    assert said == [f"Waiting for {file}: another program has it locked."]


def test_who_waits_in_vain_is_told_once_and_does_not_wait_again(engine: Engine, file: Path, locked, capsys) -> None:
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"The database {file} .*has kept it locked.*End that program"):
            insert(engine)
    assert capsys.readouterr().err == f"Waiting for {file}: another program has it locked.\n"
    locked.rollback()
    insert(engine)
    assert capsys.readouterr().err == ""
    with pytest.raises(exc.IntegrityError):
        insert(engine)


def insert(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (1)"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda file: file.write_text("no database, whatever its name says" * 100), "it is damaged, .*Restore it"),
        (lambda file: (file.unlink(), file.mkdir()), "it cannot be opened .*may be read and written"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(file: Path, spoil: Callable[[Path], None], reason: str) -> None:
    spoil(file)
    with pytest.raises(StoreError, match=f"The database {file} cannot be used: {reason}"):
        check(file)


def test_a_file_that_cannot_be_written_is_one_clear_error(file: Path) -> None:
    wait_aloud()
    with pytest.raises(StoreError, match=r"it may be read, but not written .*Make the file and its folder writable"):
        insert(create_engine(f"sqlite:///file:{file}?mode=ro&uri=true"))


def test_a_full_disk_is_one_clear_error_and_nothing_is_half_written(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count = 4"))
        with pytest.raises(StoreError, match=r"the disk is full .*Make room there"):
            connection.execute(text("INSERT INTO numbers VALUES (:number)"), [{"number": n} for n in range(9999)])
        connection.rollback()
        assert connection.execute(text("SELECT count(*) FROM numbers")).scalar() == 0


def test_errors_of_the_callers_own_are_as_they_were(engine: Engine) -> None:
    with pytest.raises(exc.OperationalError, match="no such table"), engine.connect() as connection:
        connection.execute(text("SELECT * FROM absent"))


def test_a_store_of_runs_that_is_locked_in_the_middle_is_one_line(tmp_path: Path, capsys) -> None:
    file = tmp_path / "mlflow.db"
    stores = StoresConfig(
        tracking=f"sqlite:///{file}", studies="sqlite:///unused.db", cache=tmp_path, cache_gigabytes=1
    )
    tracker = Tracker.open(stores, "cells")
    other = sqlite3.connect(file)
    capsys.readouterr()
    with pytest.raises(SystemExit, match="1"), ended(), tracker.stage_run("prepare", {}) as run:
        _lock(other, run)
    waiting, error = capsys.readouterr().err.splitlines()
    assert waiting == f"Waiting for {file}: another program has it locked."
    assert error.startswith(f"Error: The database {file} cannot be used: another program has kept it locked")
    with pytest.raises(StoreError):
        Tracker.open(stores, "cells")


def _lock(other: sqlite3.Connection, run: Run) -> None:
    other.execute("BEGIN EXCLUSIVE")
    run.log_metrics({"score": 0.5})
