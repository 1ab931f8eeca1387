"""Where runs, studies and cached activations are: the addresses in params.yaml, seen from the project.

An address may hold a password. `Address.shown` and `redacted` are for whatever a person or a file gets to see.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from frostline.config import StoresConfig
from frostline.errors import ConfigError
from frostline.project import project_folder

__all__ = ["Address", "address_of", "cache_folder", "lock_folder", "redacted", "tracking_address"]

_SECRET = r"\w*(?:pass|pwd|secret|token|key|auth|cred|sig)\w*"  # noqa: S105  # names of secrets, no secret
_IN_ENVIRONMENT = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_HIDDEN = "***"


@dataclass(frozen=True)
class Address:
    """A store's address as SQLAlchemy and MLflow take it; `file` is the database, if it is SQLite's."""

    url: str
    file: Path | None = None

    @property
    def shown(self) -> str:
        """The address without user, password and query."""
        if self.file:
            return f"sqlite:///{self.file}"
        scheme, separator, rest = self.url.partition("://")
        place, _, query = rest.partition("?")
        if "@" in query:  # of a password, or of a token
            return f"{scheme}{separator}{_HIDDEN}"
        return f"{scheme}{separator}{place.rpartition('@')[2].partition('#')[0]}"


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
    return project_folder() / stores.cache.expanduser()


def lock_folder(stores: StoresConfig) -> Path:
    """Where locks of registered models are: beside the database, so that all who use it meet; else with the cache."""
    file = tracking_address(stores).file
    return file.parent if file else cache_folder(stores)


def redacted(text: str, address: Address | None = None) -> str:
    """`text` without what is secret in addresses that stand in it, in `address`, or in MLflow's environment."""
    secrets = {os.environ.get(name, "") for name in _IN_ENVIRONMENT} | (_secrets(address.url) if address else set())
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = re.sub(r"(\w://)[^\s/@]*@", rf"\1{_HIDDEN}@", text)
    return re.sub(rf"([?&]{_SECRET}=)[^&\s'\"]*", rf"\1{_HIDDEN}", text, flags=re.IGNORECASE)


def _secrets(url: str) -> set[str]:
    user, at, _ = url.partition("://")[2].rpartition("@")
    login = {user, user.partition(":")[2]} if at else set()
    options = (part.partition("=") for part in re.split("[?&]", url)[1:])
    values = {value for name, _, value in options if re.fullmatch(_SECRET, name, re.IGNORECASE)}
    return {form for part in login | values for form in (part, unquote(part))}
