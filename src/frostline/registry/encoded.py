"""A picture as JSON can carry it: base64 in its common forms, or an array of bytes."""

import binascii
import re
from typing import Any
from urllib.parse import unquote

from frostline.errors import ImageError

__all__ = ["picture_bytes"]

_STANDARD = bytes.maketrans(b"-_", b"+/")
_WHITESPACE = b" \t\r\n\f\v"
_DATA_URL = re.compile(r"\s*data:[^,]{0,200};base64\s*,", re.IGNORECASE)


def picture_bytes(value: Any) -> bytes:
    """The bytes of a picture file given as bytes, as base64 text or as a list of integers from 0 to 255.

    Base64 may be broken into lines, lack its padding, use the URL-safe alphabet, or follow `data:image/...;base64,`.

    Raises:
        ImageError: with reason not_base64 or not_bytes.
    """
    if isinstance(value, str):
        return _from_base64(value)
    try:
        return bytes(value if isinstance(value, bytes | bytearray | memoryview | list) else None)  # type: ignore[arg-type]  # None is refused
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise ImageError(
            "not_bytes", f"a picture is a base64 string or an array of bytes (0 to 255), not {kind}"
        ) from None


def _from_base64(text: str) -> bytes:
    if found := _DATA_URL.match(text):
        text = unquote(text[found.end() :])
    try:
        digits = text.encode("ascii").translate(_STANDARD, _WHITESPACE).rstrip(b"=")
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4), strict_mode=True)
    except ValueError as error:
        reason = "characters outside its alphabet" if isinstance(error, UnicodeError) else str(error)
        hint = ", the way Python prints bytes: send the text without b''" if text.startswith(("b'", 'b"')) else ""
        raise ImageError("not_base64", f"{reason}{hint}") from None
