"""A lock that a database server holds for a process, and frees when its connection ends, however that ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

__all__ = ["HeldElsewhere", "server_lock"]

_MYSQL_LENGTH = 64


class HeldElsewhere(Exception):
    """Another process has the lock."""


@contextmanager
def server_lock(engine: Any, name: str) -> Iterator[None]:
    """Hold the lock called `name` on the server of SQLAlchemy's `engine` for the length of the block.

    PostgreSQL and MySQL (MariaDB) have such locks, and nothing else is asked. Raises HeldElsewhere.
    """
    from sqlalchemy import text

    asked = {
        "postgresql": (text("SELECT pg_try_advisory_lock(:key)"), {"key": _number(name)}),
        "mysql": (text("SELECT GET_LOCK(:key, 0)"), {"key": f"frostline {name}"[:_MYSQL_LENGTH]}),
    }
    asked["mariadb"] = asked["mysql"]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name in asked and not connection.execute(*asked[engine.dialect.name]).scalar():
            raise HeldElsewhere(name)
        try:
            yield
        finally:
            connection.invalidate()  # closed, not put back into the pool with the lock


def _number(name: str) -> int:
    """64 bits, signed, as PostgreSQL has them."""
    return int.from_bytes(sha256(f"frostline {name}".encode()).digest()[:8], signed=True)
