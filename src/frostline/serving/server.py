"""An HTTP server for the champion of a data set, which speaks the JSON of MLflow's own (`mlflow models serve`).

MLflow's server runs the same model; this one bounds what a request may cost, and answers every mistake with a reason.
"""

import asyncio
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from frostline.runtime.debugging import is_debugging, traceback_of
from frostline.runtime.progress import say
from frostline.serving.access import AccessLog
from frostline.serving.described import INVOCATIONS, REFUSALS
from frostline.serving.limits import Refused
from frostline.serving.service import Service

__all__ = ["create_app"]

_PLACES = "POST /invocations and GET /health, /ready, /version, /drift and /metrics are served"
_PATHS = frozenset({"/invocations", "/health", "/ping", "/ready", "/version", "/drift", "/metrics"})


def create_app(service: Service, *, access_log: bool = False) -> FastAPI:
    """POST /invocations labels pictures; GET /health says that the process lives, /ready whether it would label some,
    /version by which model, /drift whether the last ones are like the test images, /metrics what it has done so far.
    With `access_log` each request is a line of JSON.

    The answer is `{"predictions": [...], "model": {"name": ..., "version": ...}}` with an object per picture: label,
    probability, error, probability_<class>. A picture that cannot be used has a reason in `error` and nulls; others in
    its request are not harmed. A request that is refused is answered with `{"error": "..."}` and 400, 408 (too slow),
    413 (too large), 415 (not JSON), 503 (too many others, or starting, or stopping, with Retry-After) or 504 (no answer
    in time); 500 says why the model failed.
    """
    app = FastAPI(title="frostline", openapi_url=None, redirect_slashes=False)
    app.add_middleware(AccessLog, metrics=service.metrics, paths=_PATHS, written=access_log)

    @app.api_route("/ping", methods=["GET", "HEAD"], summary="The same as /health", operation_id="ping")
    @app.api_route("/health", methods=["GET", "HEAD"], summary="Whether the process lives", operation_id="health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.api_route(
        "/ready", methods=["GET", "HEAD"], summary="Whether a request would be answered", operation_id="ready"
    )
    async def ready() -> dict[str, str]:
        service.current()
        return {"status": "ok"}

    @app.get("/version", summary="Which model answers")
    async def version() -> dict[str, str]:
        model = service.current()
        return {"model": model.name, "version": model.number}

    @app.get("/drift", summary="Whether the last pictures are like the test images")
    async def drift() -> dict[str, Any]:
        model = service.current()
        found = await service.drift(model)
        return {"model": {"name": model.name, "version": model.number}, **found.model_dump()}

    @app.get("/metrics", summary="Counters and times, for Prometheus")
    async def metrics(request: Request) -> Response:
        content, kind = service.metrics.text(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": kind})

    @app.post("/invocations", summary="Label pictures", openapi_extra=INVOCATIONS, responses=REFUSALS)
    async def invocations(request: Request) -> JSONResponse:
        try:
            async with asyncio.timeout(service.limits.seconds):
                return await _predictions(service, request)
        except ClientDisconnect:
            raise Refused(400, "The sender has gone.", "gone") from None
        except TimeoutError:
            reason = f"No answer within {service.limits.seconds:g} s: send fewer pictures at once, or later."
            raise Refused(504, reason, "late") from None
        except asyncio.CancelledError:
            raise Refused(503, "The server is stopping.", "stopping") from None
        except Refused:
            raise
        except Exception as error:
            reason = ascii(f"{type(error).__name__}: {error}".partition("\n")[0][:300])[1:-1]
            if is_debugging():
                say(traceback_of(error))
            say(f"A request failed: {reason}")
            text = f"The model failed on this request ({reason}); others are not affected."
            raise Refused(500, text, "failed") from None

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        request.state.error = error.kind
        return JSONResponse({"error": str(error)}, error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def elsewhere(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": f"{error.detail}: {_PLACES}."}, error.status_code, error.headers)

    return app


async def _predictions(service: Service, request: Request) -> JSONResponse:
    version = service.current()
    request.state.version = version.number
    rows = await service.label(request, version)
    answer = {"predictions": rows, "model": {"name": version.name, "version": version.number}}
    return JSONResponse(answer, headers={"Model-Version": f"{version.name}/{version.number}"})
