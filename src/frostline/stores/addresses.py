"""Where runs, studies and cached activations are: the addresses in params.yaml, seen from the project.

An address may hold a password: `Address.shown` is what a person or a file may see.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from frostline.config.schema import StoresConfig
from frostline.errors import ConfigError
from frostline.runtime.environment import expand_home
from frostline.runtime.project import project_folder
from frostline.text.redaction import redacted, shown

__all__ = ["Address", "address_of", "cache_folder", "lock_folder", "tracking_address"]


@dataclass(frozen=True)
class Address:
    """A store's address as SQLAlchemy and MLflow take it; `file` is the database, if it is SQLite's."""

    url: str
    file: Path | None = None

    @property
    def shown(self) -> str:
        """The address without user, password and query."""
        return f"sqlite:///{self.file}" if self.file else shown(self.url)


def address_of(given: str, key: str) -> Address:
    """What `given`, the value of `key` in params.yaml, addresses; the path of an SQLite file starts from the project.

    Raises ConfigError if that is SQLite, but no file.
    """
    if not given.startswith("sqlite"):
        return Address(given)
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(given)
    except ArgumentError:
        url = URL.create("sqlite")
    name = url.database or ""
    if url.host or name in ("", ":memory:") or name.startswith("file:"):
        raise ConfigError(
            f"{key} must name a file, such as sqlite:///mlruns/mlflow.db or, with a path from the root, "
            f"sqlite:////srv/mlflow.db, but got {redacted(given)!r}."
        )
    path = project_folder() / name
    file = path.parent.resolve() / path.name
    quoted = url.set(drivername="sqlite", database=str(file))
    plain = f"sqlite:///{file}"
    if quoted.render_as_string().partition("?")[0] == plain:
        return Address(quoted.render_as_string(), file)
    # With the driver's name MLflow makes no folder of its own, which it would call by the quoted name.
    return Address(quoted.set(drivername="sqlite+pysqlite").render_as_string(), file)


def tracking_address(stores: StoresConfig) -> Address:
    """MLflow's store: MLFLOW_TRACKING_URI if that is set, else `stores.tracking`. Raises ConfigError."""
    return address_of(os.environ.get("MLFLOW_TRACKING_URI") or stores.tracking, "stores.tracking")


def cache_folder(stores: StoresConfig) -> Path:
    """The folder of cached activations, `stores.cache`."""
    return project_folder() / expand_home(stores.cache)


def lock_folder(stores: StoresConfig) -> Path:
    """Where locks of registered models are: beside MLflow's database, so that all who use it meet.

    Where a server keeps that, those who use the project meet in its `mlruns`.
    """
    file = tracking_address(stores).file
    return file.parent if file else project_folder() / "mlruns"
