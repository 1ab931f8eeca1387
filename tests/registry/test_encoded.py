"""Base64 in all its common forms."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.errors import ImageError
from frostline.registry.encoded import picture_bytes

FORMS = {
    "plain": lambda data: base64.b64encode(data).decode(),
    "lines of 76": lambda data: base64.encodebytes(data).decode(),
    "lines of Windows": lambda data: base64.encodebytes(data).decode().replace("\n", "\r\n"),
    "URL-safe": lambda data: base64.urlsafe_b64encode(data).decode(),
    "URL-safe without padding": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "indented": lambda data: "\n\t " + base64.b64encode(data).decode() + " \n",
    "data URL": lambda data: "data:image/png;base64," + base64.b64encode(data).decode(),
    "data URL with parameters": lambda data: "DATA:image/png;name=a.png;Base64, " + base64.encodebytes(data).decode(),
    "quoted data URL": lambda data: "data:;base64," + base64.b64encode(data).decode().replace("+", "%2B"),
    "array of bytes": list,
    "bytes": bytes,
}


@given(st.binary(max_size=300), st.sampled_from(sorted(FORMS)))
def test_every_form_gives_the_bytes_back(data, form):
    assert picture_bytes(FORMS[form](data)) == data


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("?!", "not_base64: Only base64 data is allowed"),
        ("aGk=aGk=", "not_base64: "),
        ("aGkaa", "not_base64: Invalid base64-encoded string"),
        ("\ud800", "not_base64: characters outside its alphabet"),
        ("bild.png\N{BULLET}", "not_base64: characters outside its alphabet"),
        ("b'aGk='", "not_base64: Only base64 data is allowed, the way Python prints bytes: send the text without b''"),
        ("data:image/svg+xml,%3Csvg%3E", "not_base64: "),
        ([1, 999], "not_bytes: a picture is a base64 string or an array of bytes (0 to 255), not list"),
        (None, "not_bytes: a picture is a base64 string or an array of bytes (0 to 255), not NoneType"),
        (float("nan"), "not_bytes: a picture is a base64 string or an array of bytes (0 to 255), not float"),
        (3, "not_bytes: a picture is a base64 string or an array of bytes (0 to 255), not int"),
    ],
)
def test_anything_else_is_refused_with_the_reason(value, reason):
    with pytest.raises(ImageError, match=re.escape(reason)):
        picture_bytes(value)
