"""SQLite files as MLflow and Optuna use them: who waits for a lock says so, and a refusal is one StoreError.

Left alone, both wait in silence, for 5 to 100 seconds, and then raise errors of several kinds.
"""

import math
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, event

from frostline.errors import StoreError
from frostline.runtime.progress import say

__all__ = ["check", "connect", "wait_aloud"]

_SILENT_SECONDS = 2.0
_SECONDS_BETWEEN_TRIES = 0.05
_PATIENT_SECONDS = 60.0
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_LOCKED_REASON = "another program has kept it locked", "End that program, or wait until it ends"
_UNREACHABLE_REASON = "it cannot be opened", "See that its folder exists, and that both may be read and written"
_DAMAGED_REASON = "it is damaged, or is no SQLite database", "Restore it, or move it away: a new one is then made"
_REASONS = {
    **dict.fromkeys(_LOCKED, _LOCKED_REASON),
    **dict.fromkeys((sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH), _UNREACHABLE_REASON),
    **dict.fromkeys((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB), _DAMAGED_REASON),
    sqlite3.SQLITE_READONLY: ("it may be read, but not written", "Make the file and its folder writable"),
    sqlite3.SQLITE_FULL: ("the disk is full", "Make room there"),
    sqlite3.SQLITE_IOERR: ("the disk refused", "Make room there, or mend the disk"),
}

_deadlines: dict[str, float] = {}
"""Until when a locked file is waited for. Who has waited in vain does not wait again for as long."""

T = TypeVar("T")


def wait_aloud() -> None:
    """From now on SQLAlchemy, and with it MLflow and Optuna, opens SQLite files in this way."""
    event.listen(Engine, "do_connect", _connect)


def check(file: Path) -> None:
    """See whether the SQLite file can be opened and read; it is created if absent. Raises StoreError."""
    with closing(connect(file)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master")


def connect(file: Path) -> sqlite3.Connection:
    """The SQLite file, each statement a transaction of its own unless one is begun. It raises StoreError."""
    return sqlite3.connect(file, _SILENT_SECONDS, isolation_level=None, factory=_Connection)


class _Connection(sqlite3.Connection):
    def __init__(self, file: Any, *arguments: Any, **options: Any) -> None:
        self.store = _Store(str(file))
        self.store.ask(lambda: super(_Connection, self).__init__(file, *arguments, **options))

    def cursor(self, _: Any = None) -> "_Cursor":  # type: ignore[override]
        return super().cursor(_Cursor)

    def execute(self, sql: str, parameters: Any = ()) -> "_Cursor":
        return self.cursor().execute(sql, parameters)

    def commit(self) -> None:
        self.store.ask(super().commit)


class _Cursor(sqlite3.Cursor):
    connection: _Connection

    def execute(self, sql: str, parameters: Any = ()) -> "_Cursor":
        if not sql.startswith("PRAGMA busy_timeout"):  # MLflow's: how long is waited is said here
            self.connection.store.ask(lambda: super(_Cursor, self).execute(sql, parameters))
        return self

    def executemany(self, sql: str, parameters: Iterable[Any]) -> "_Cursor":
        if not self.connection.in_transaction:
            self.execute("BEGIN IMMEDIATE")  # what waits for the lock: rows must not be written twice
        self.connection.store.ask(lambda: super(_Cursor, self).executemany(sql, parameters), again=False)
        return self


class _Store:
    """One file, which may be asked until it is no longer locked."""

    def __init__(self, file: str) -> None:
        self.file = file

    def ask(self, act: Callable[[], T], *, again: bool = True) -> T:
        """What `act` gives; while the file is locked it is tried `again`, for a while. Raises StoreError."""
        waited = False
        while True:
            try:
                result = act()
            except sqlite3.Error as error:
                code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
                if code not in _REASONS:
                    raise
                waited = code in _LOCKED and again and self._may_wait()
                if not waited:
                    raise self._refusal(code, error) from error
                time.sleep(_SECONDS_BETWEEN_TRIES)
            except BaseException:
                _deadlines[self.file] = time.monotonic()  # who is interrupted, and tidies up, does not wait either
                raise
            else:
                if waited:
                    _deadlines.pop(self.file, None)
                return result

    def _may_wait(self) -> bool:
        now = time.monotonic()
        if now > _deadlines.get(self.file, -math.inf) + _PATIENT_SECONDS:
            _deadlines[self.file] = now + _PATIENT_SECONDS
            say(f"Waiting for {self.file}: another program has it locked.")
        return now < _deadlines[self.file]

    def _refusal(self, code: int, error: sqlite3.Error) -> StoreError:
        reason, mend = _REASONS[code]
        return StoreError(
            f"The database {self.file} cannot be used: {reason} ({error}). {mend}, and run again: what was finished "
            "is kept."
        )


def _connect(dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
    if dialect.name == "sqlite":
        options |= {"factory": _Connection, "timeout": _SILENT_SECONDS}
