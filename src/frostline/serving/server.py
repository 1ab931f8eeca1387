"""An HTTP server for one version of a model, which speaks the JSON of MLflow's own (`mlflow models serve`).

MLflow's server runs the same model; this one bounds what a request may cost, and answers every mistake with a reason.
"""

import asyncio
import math
from typing import Any

import pandas as pd
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from frostline.backbones.viewed import images_at_once
from frostline.registry.models import LoadedVersion
from frostline.runtime.debugging import is_debugging, traceback_of
from frostline.runtime.progress import say
from frostline.serving.admission import Admission
from frostline.serving.limits import Refused, ServingLimits
from frostline.serving.portions import Picture, portions
from frostline.serving.request import read_pictures
from frostline.serving.turns import Turns

__all__ = ["create_app"]


def create_app(version: LoadedVersion, limits: ServingLimits) -> FastAPI:
    """POST /invocations labels pictures; GET /ping says that the server is up, GET /version which model it serves.

    The answer is `{"predictions": [...]}` with an object per picture: label, probability, error, probability_<class>. A
    picture that cannot be used has a reason in `error` and nulls; others in its request are not harmed. A request that
    is refused is answered with `{"error": "..."}` and 400, 408 (too slow), 413 (too large), 415 (not JSON), 503 (too
    many others, with Retry-After) or 504 (no answer in time); 500 says why the model failed.
    """
    app = FastAPI(title=f"{version.name} version {version.number}", openapi_url=None, redirect_slashes=False)
    admission, reading, predicting = Admission(limits), Turns(), Turns()
    at_once = images_at_once(version.views)

    def predict(portion: list[Picture]) -> list[dict[str, Any]]:
        answer: pd.DataFrame = version.model.predict(pd.DataFrame({"image": [each.content for each in portion]}))
        rows = zip(answer.to_dict("records"), portion, strict=True)
        return [_plain(row | ({"error": each.error} if each.error else {})) for row, each in rows]

    async def predictions(request: Request) -> list[dict[str, Any]]:
        async with admission.body(request) as body:
            pictures = await reading.take(len(body), read_pictures, body, limits)
            body.clear()  # the pictures take its place
            rows = []
            for portion in portions(pictures, at_once):
                if await request.is_disconnected():
                    raise ClientDisconnect
                rows += await predicting.take(sum(each.cost for each in portion), predict, portion)
            return rows

    @app.api_route("/ping", methods=["GET", "HEAD"])
    @app.api_route("/health", methods=["GET", "HEAD"])
    async def ping() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/version")
    async def served() -> dict[str, str]:
        return {"model": version.name, "version": version.number}

    @app.post("/invocations")
    async def invocations(request: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(limits.seconds):
                return JSONResponse({"predictions": await predictions(request)})
        except Refused as refused:
            return JSONResponse({"error": str(refused)}, refused.status, refused.headers)
        except ClientDisconnect:
            return _error(400, "The sender has gone.")
        except TimeoutError:
            return _error(504, f"No answer within {limits.seconds:g} s: send fewer pictures at once, or later.")
        except asyncio.CancelledError:
            return _error(503, "The server is stopping.")
        except Exception as error:
            reason = ascii(f"{type(error).__name__}: {error}".partition("\n")[0][:300])[1:-1]
            if is_debugging():
                say(traceback_of(error))
            say(f"A request failed: {reason}")
            return _error(500, f"The model failed on this request ({reason}); others are not affected.")

    @app.exception_handler(HTTPException)
    async def elsewhere(_: Request, error: HTTPException) -> JSONResponse:
        places = "POST /invocations, GET /ping and GET /version are served"
        return JSONResponse({"error": f"{error.detail}: {places}."}, error.status_code, error.headers)

    return app


def _error(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status)


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
