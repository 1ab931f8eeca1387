"""Artifact addresses that move with their store: MLflow writes absolute ones into its database.

A store is at home in the folder that its database lies in, with `artifacts/` beside it. One that was moved, or is a
copy, still names the folder where it was made: there nothing can be found, or another project's files would be changed.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from frostline.runtime.progress import say
from frostline.stores.sqlite import connect

__all__ = ["artifacts_of", "bring_home"]

_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def artifacts_of(file: Path) -> str:
    """The address of the artifacts of the SQLite store `file`."""
    return (file.parent / "artifacts").as_uri()


def bring_home(file: Path) -> None:
    """Let the addresses in the SQLite store `file` that are below another home be below its own; all or none.

    Raises StoreError if the database refuses.
    """
    here = artifacts_of(file)
    with closing(connect(file)) as database:
        if not _strange_homes(database, here):
            return
        database.execute("BEGIN IMMEDIATE")
        for old in _strange_homes(database, here):  # another process may have done it meanwhile
            moved = sum(_readdress(database, table, column, old, here) for table, column in _ADDRESSES)
            say(f"The MLflow store was moved: {moved} addresses led to {_path(old)}, and now to {_path(here)}.")
            if not _path(here).exists():
                say(f"Its files did not come with it: move {_path(old)} there as well.")
        database.execute("COMMIT")


def _strange_homes(database: sqlite3.Connection, here: str) -> list[str]:
    """Where the experiments of frostline, each in `<home>/<its name>`, are at home, but for `here`."""
    rows = database.execute("SELECT name, artifact_location FROM experiments WHERE name LIKE 'frostline-%'").fetchall()
    homes = {place.removesuffix(f"/{name}") for name, place in rows if place and place.endswith(f"/artifacts/{name}")}
    return sorted(home for home in homes if home.startswith("file:") and not _same(home, here))


def _same(one: str, other: str) -> bool:
    first, second = _path(one), _path(other)
    return first == second or (first.exists() and second.exists() and first.samefile(second))


def _readdress(database: sqlite3.Connection, table: str, column: str, old: str, new: str) -> int:
    return database.execute(
        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
        (new, len(old) + 1, len(old) + 1, f"{old}/"),
    ).rowcount


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))
