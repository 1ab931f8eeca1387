"""The bodies of requests, read within bounds of size, time and what all requests hold together."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.requests import Request

from frostline.serving.limits import Refused, ServingLimits

__all__ = ["Admission"]


class Admission:
    """Counts what the requests of one server hold between them."""

    def __init__(self, limits: ServingLimits) -> None:
        self._limits = limits
        self._bytes = 0
        self._requests = 0
        self._open = 0

    @property
    def open(self) -> int:
        """How many requests have begun and have no answer yet."""
        return self._open

    @property
    def held(self) -> int:
        """The bytes of their bodies."""
        return self._bytes

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytearray]:
        """The body of `request`, which counts until the end of the block.

        Raises:
            Refused: 408 (too slow), 413 (too large), 415 (not JSON) or 503 (too many others).
            ClientDisconnect: its sender has gone.
        """
        _check_kind(request)
        self._check_size(int(request.headers.get("content-length", 0)))
        body, held = bytearray(), 0
        self._open += 1
        try:
            async for chunk in self._chunks(request):
                held += len(chunk)
                self._bytes += len(chunk)
                self._check_size(held)
                body += chunk
            with self._place():
                yield body
        finally:
            self._bytes -= held
            self._open -= 1

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout(self._limits.patience):
                    chunk = await anext(stream, None)
            except TimeoutError:
                raise Refused(408, f"Nothing more of the request came for {self._limits.patience:g} s.") from None
            if chunk is None:
                return
            yield chunk

    def _check_size(self, size: int) -> None:
        limits = self._limits
        if size > limits.body:
            raise Refused(
                413, f"The request is larger than {limits.megabytes:g} MB: send fewer or smaller pictures at once."
            )
        if self._bytes > limits.bodies:
            raise Refused(503, "The server holds as much of other requests as it may: ask again in a moment.")

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._requests >= self._limits.requests:
            raise Refused(503, f"{self._requests} requests are waiting already: ask again in a moment.")
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1


def _check_kind(request: Request) -> None:
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise Refused(415, f"The content encoding {coding!a} is not read: send the JSON uncompressed.")
    kind, *parameters = [part.strip() for part in request.headers.get("content-type", "").lower().split(";")]
    if kind != "application/json":
        raise Refused(415, f"The content type must be application/json, but it is '{ascii(kind)[1:-1] or 'missing'}'.")
    for name, _, value in (each.partition("=") for each in parameters):
        if name == "charset" and value.strip('"') not in {"utf-8", "utf8", "us-ascii"}:
            raise Refused(415, f"JSON is read as UTF-8, but the charset is {value!a}.")
