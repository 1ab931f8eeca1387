"""An HTTP server for one version of a model, which speaks the JSON of MLflow's own (`mlflow models serve`).

MLflow's server runs the same model; this one bounds what a request may cost, and answers every mistake with a reason.
"""

import base64
import binascii
import json
import math
import threading
from typing import Any

import pandas as pd
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from frostline.registry.models import LoadedVersion

__all__ = ["ServingLimits", "create_app"]

_SHAPES = (
    'send {"dataframe_records": [{"image": "<base64>"}, ...]}, or {"inputs": [...]} or {"instances": [...]} with '
    'base64 strings, arrays of bytes (0 to 255) or {"image": ...}'
)


class ServingLimits(BaseModel):
    """What one request may hold."""

    megabytes: float = 32
    images: int = 64


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def create_app(version: LoadedVersion, limits: ServingLimits) -> FastAPI:
    """POST /invocations labels pictures; GET /ping says that the server is up, GET /version which model it serves.

    The answer is `{"predictions": [...]}` with an object per picture: label, probability, error, probability_<class>. A
    picture that cannot be used has a reason in `error` and nulls; others in its request are not harmed. A request that
    cannot be read is answered with 400, 413 (too large) or 415 (not JSON) and `{"error": "..."}`.
    """
    app = FastAPI(title=f"{version.name} version {version.number}", openapi_url=None)
    one_at_a_time = threading.Lock()

    def predict(images: list[bytes]) -> pd.DataFrame:
        with one_at_a_time:
            answer: pd.DataFrame = version.model.predict(pd.DataFrame({"image": images}))
            return answer

    @app.get("/ping")
    async def ping() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/version")
    async def served() -> dict[str, str]:
        return {"model": version.name, "version": version.number}

    @app.post("/invocations")
    async def invocations(request: Request) -> JSONResponse:
        try:
            images = _images(_parsed(request, await _body(request, limits.megabytes)), limits.images)
        except _Refused as refused:
            return JSONResponse({"error": str(refused)}, refused.status)
        contents, errors = zip(*map(_decoded, images), strict=True)
        answer = await run_in_threadpool(predict, list(contents))
        rows = [
            _plain(row | ({"error": error} if error else {}))
            for row, error in zip(answer.to_dict("records"), errors, strict=True)
        ]
        return JSONResponse({"predictions": rows})

    return app


async def _body(request: Request, megabytes: float) -> bytes:
    """The request's body, of which no more is read than is allowed."""
    most, body = int(megabytes * 1e6), bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _Refused(413, f"The request is larger than {megabytes:g} MB: send fewer or smaller pictures at once.")
    return bytes(body)


def _parsed(request: Request, body: bytes) -> Any:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _Refused(415, f"The content type must be application/json, but it is '{kind or 'missing'}': {_SHAPES}.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refused(400, f"The body is not JSON ({error}): {_SHAPES}.") from None


def _images(parsed: Any, most: int) -> list[Any]:
    """The pictures of a request, still encoded, of whatever type the sender gave them."""
    found = None
    if isinstance(parsed, dict):
        found = next((parsed[key] for key in ("dataframe_records", "inputs", "instances") if key in parsed), None)
        split = parsed.get("dataframe_split")
        if isinstance(split, dict) and split.get("columns") == ["image"] and isinstance(split.get("data"), list):
            found = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in split["data"]]
    if isinstance(found, dict):
        found = found.get("image")
    if not isinstance(found, list) or not found:
        raise _Refused(400, f"The body holds no list of pictures: {_SHAPES}.")
    if len(found) > most:
        raise _Refused(413, f"The request holds {len(found)} pictures; {most} are allowed at once.")
    return [each.get("image") if isinstance(each, dict) else each for each in found]


def _decoded(image: Any) -> tuple[bytes, str]:
    """The bytes of one picture, or why there are none."""
    if isinstance(image, str):
        try:
            return base64.b64decode(image, validate=True), ""
        except (binascii.Error, ValueError) as error:
            return b"", f"not_base64: {error}"
    try:
        return bytes(image if isinstance(image, list) else None), ""  # type: ignore[arg-type]  # None is refused
    except (TypeError, ValueError):
        return (
            b"",
            f"not_bytes: a picture is a base64 string or an array of bytes (0 to 255), not {type(image).__name__}",
        )


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
