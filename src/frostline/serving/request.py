"""The pictures in a request's JSON: every form that MLflow's scoring server takes for one binary column."""

import json
from typing import Any

from frostline.errors import ImageError
from frostline.registry.encoded import picture_bytes
from frostline.serving.limits import Refused, ServingLimits
from frostline.serving.portions import Picture, decoding_work

__all__ = ["read_pictures"]

_FORMS = ("dataframe_records", "dataframe_split", "inputs", "instances")
_SHAPES = (
    'send {"dataframe_records": [{"image": "<base64>"}, ...]}, or {"inputs": [...]} or {"instances": [...]} with '
    'base64 strings, arrays of bytes (0 to 255) or {"image": ...}'
)


def read_pictures(body: bytes | bytearray, limits: ServingLimits) -> list[Picture]:
    """The pictures that the JSON in `body` holds, those too that cannot be used.

    Raises:
        Refused: 400 (no JSON, or no pictures in it) or 413 (too many of them, or too much work).
    """
    values = sum(map(body.count, (b",", b"[", b"{")))
    if values > limits.values:
        raise Refused(413, f"The body holds {values} JSON values; {limits.values} are read. Send pictures in base64.")
    encoded = _encoded(_parsed(body))
    if len(encoded) > limits.images:
        raise Refused(413, f"The request holds {len(encoded)} pictures; {limits.images} are allowed at once.")
    pictures = [_picture(each) for each in encoded]
    megabytes = sum(picture.decoding for picture in pictures) / 1e6
    if megabytes > limits.decoded_megabytes:
        raise Refused(
            413,
            f"Decoding these pictures takes {megabytes:.0f} MB; {limits.decoded_megabytes:g} are allowed in a request: "
            "send fewer or smaller pictures at once.",
        )
    return pictures


def _parsed(body: bytes | bytearray) -> Any:
    try:
        # Not strict: a shell puts the lines that `base64` prints into a string as they are.
        return json.loads(body, object_pairs_hook=_unambiguous, strict=False)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"The body is not JSON ({error}): {_SHAPES}.") from None


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _encoded(parsed: Any) -> list[Any]:
    """The pictures of a request, still encoded, of whatever type the sender gave them."""
    forms = [form for form in _FORMS if isinstance(parsed, dict) and form in parsed]
    if len(forms) > 1:
        raise Refused(400, f"The body holds {' and '.join(forms)}, but one of them is read: {_SHAPES}.")
    found = parsed[forms[0]] if forms else None
    if forms == ["dataframe_split"]:
        found = _column(found)
    elif isinstance(found, dict):  # a column of pictures, or one picture
        found = found.get("image", found if "b64" in found else None)
    if isinstance(found, str) or (isinstance(found, dict) and "b64" in found):
        found = [found]
    if not isinstance(found, list) or not found:
        raise Refused(400, f"The body holds no list of pictures: {_SHAPES}.")
    if all(isinstance(each, dict) and not each.keys() & {"image", "b64"} for each in found):
        raise Refused(400, f"No picture is called 'image': {_SHAPES}.")
    return found


def _column(split: Any) -> list[Any] | None:
    """The column `image` of pandas's form "split"; other columns and the index say nothing about a picture."""
    if not isinstance(split, dict):
        return None
    columns, rows = split.get("columns", ["image"]), split.get("data")
    if not isinstance(columns, list) or columns.count("image") != 1 or not isinstance(rows, list):
        raise Refused(400, "dataframe_split needs columns of which one is 'image', and data with a row per picture.")
    position = columns.index("image")
    if any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
        raise Refused(400, f"Each row of dataframe_split's data needs {len(columns)} values, one per column.")
    return [row[position] for row in rows]


def _picture(value: Any) -> Picture:
    try:
        content = picture_bytes(_unwrapped(value))
    except ImageError as error:
        return Picture(b"", 0, str(error))
    return Picture(content, decoding_work(content))


def _unwrapped(value: Any) -> Any:
    """A picture without {"image": ...}, TensorFlow Serving's {"b64": ...}, or the brackets of a row."""
    if isinstance(value, dict) and "image" in value:
        value = value["image"]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | dict):
        value = value[0]
    return value["b64"] if isinstance(value, dict) and "b64" in value else value
