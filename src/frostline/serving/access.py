"""What is noted of each request: a line of JSON on standard error, and what /metrics counts."""

import json
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frostline.serving.metrics import Metrics

__all__ = ["REQUEST_ID", "AccessLog"]

REQUEST_ID = "X-Request-ID"
_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_LONGEST_PATH = 200


class AccessLog:
    """Middleware around `app`: notes each request when it is answered, or when its sender has gone.

    `paths` are those that /metrics counts by name. What handlers leave in `request.state` (`pictures`, `version`,
    `error`) is noted too; nothing of what a request holds is.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: frozenset[str], *, written: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = paths
        self._written = written

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        asked = Headers(scope=scope).get(REQUEST_ID, "")
        facts: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": asked if _ID.fullmatch(asked) else uuid4().hex,
            "method": scope["method"],
            "path": scope["path"][:_LONGEST_PATH],
            "status": None,
            "bytes": 0,
        }

        async def received() -> Message:
            message = await receive()
            facts["bytes"] += len(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = facts["request"]
            await send(message)

        try:
            await self._app(scope, received, sent)
        finally:
            self._note(facts, scope["state"], time.perf_counter() - began)

    def _note(self, facts: dict[str, Any], state: dict[str, Any], seconds: float) -> None:
        path = facts["path"] if facts["path"] in self._paths else "other"
        self._metrics.request(path, facts["status"])
        if path == "/invocations":
            self._metrics.invocation(seconds, state.get("pictures"), state.get("error", ""))
        if self._written:
            more = {name: state.get(name) for name in ("pictures", "version", "error")}
            print(json.dumps(facts | {"seconds": round(seconds, 6)} | more), file=sys.stderr, flush=True)
