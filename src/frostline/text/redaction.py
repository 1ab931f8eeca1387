"""Addresses of stores as a person, a file or another system may see them: without what is secret in them."""

import os
import re
from urllib.parse import quote, unquote

__all__ = ["redacted", "shown"]

_SECRET = r"\w*(?:pass|pwd|secret|token|key|auth|cred|sig)\w*"  # noqa: S105  # names of secrets, no secret
_IN_ENVIRONMENT = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_HIDDEN = "***"
_FEWEST_LETTERS = 2


def shown(address: str) -> str:
    """`address` without user, password, query, options and fragment; where these cannot be told apart, `***`.

    >>> shown("postgresql://me:secret@db.example.org/runs?sslmode=require")
    'postgresql://db.example.org/runs'
    """
    scheme, separator, rest = address.partition("://")
    if not separator and re.search("[@?;=]", address):  # mistyped, such as postgresql:user:password@host
        return _HIDDEN
    place, *options = re.split("[?;]", rest, maxsplit=1)
    if "@" in "".join(options):  # it ends a password, or is in a token
        return f"{scheme}{separator}{_HIDDEN}"
    return f"{scheme}{separator}{place.rpartition('@')[2].partition('#')[0]}"


def redacted(text: str, address: str = "") -> str:
    """`text` without the secrets of addresses: of any that stands in it, of `address`, and of MLflow's environment."""
    addresses = {address, os.environ.get("MLFLOW_TRACKING_URI", "")}
    secrets = {os.environ.get(name, "") for name in _IN_ENVIRONMENT}.union(*map(_secrets, addresses))
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = re.sub(r"(\w:/{0,2})[^\s/@]*@", rf"\1{_HIDDEN}@", text)
    return re.sub(rf"([?&;#]{_SECRET}=)[^&\s'\"]*", rf"\1{_HIDDEN}", text, flags=re.IGNORECASE)


def _secrets(address: str) -> set[str]:
    """Login, password, tokens; and the parts that drivers quote of a password that was not escaped."""
    user, at, _ = (address.partition("://")[2] or address).rpartition("@")
    login = {user, user.partition(":")[2]} if at else set()
    plain = unquote(address)  # ODBC's options are one option, quoted
    parted = [part for form in (address, plain) for ends in ("[?&#]", "[?&#;]") for part in re.split(ends, form)[1:]]
    options = (part.partition("=") for part in parted)
    values = {value for name, _, value in options if re.fullmatch(_SECRET, name, re.IGNORECASE)}
    parts = {part for secret in values | {user.partition(":")[2]} for part in re.split("[@:/?#]", secret)}
    whole = login | values | {part for part in parts if len(part) >= _FEWEST_LETTERS}
    return {form for secret in whole for form in (secret, unquote(secret), quote(secret, safe=""))}
