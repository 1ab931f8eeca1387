"""HTTP/1.1 as uvicorn speaks it, with a bound on connections and on how long a client keeps one waiting."""

import asyncio
import errno
import json
import os
import socket
from http import HTTPStatus
from typing import ClassVar

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from frostline.errors import ServingError
from frostline.serving.limits import ServingLimits
from frostline.serving.metrics import Metrics
from frostline.serving.service import Service

__all__ = ["listen", "server_config"]

_READ = 16_384  # bytes that are read at once
_MENDS = {
    errno.EADDRNOTAVAIL: "Choose a --host of this machine.",
    errno.EACCES: "Ports below 1024 belong to the system: choose another --port.",
}


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at `host` (a name, or an address of IPv4 or IPv6). Raises ServingError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        return socket.create_server(address, family=family)
    except UnicodeError:
        why = "that is no host's name. Choose another --host."
    except socket.gaierror as error:
        why = f"{error.strerror}. Choose another --host."
    except OSError as error:
        number = error.errno or 0
        why = f"{os.strerror(number)}. {_MENDS.get(number, 'Choose another --port.')}"
    raise ServingError(f"Cannot listen on {host}:{port}: {why}")


def server_config(app: FastAPI, service: Service) -> uvicorn.Config:
    """The settings of a uvicorn server for `app`, under the limits of `service`."""
    protocol = type("_Protocol", (_PatientProtocol,), {"limits": service.limits, "metrics": service.metrics})
    # No `log_config`: setting one up closes the handlers that other libraries have, and a stream with them.
    return uvicorn.Config(app, http=protocol, ws="none", log_config=None, log_level="warning", access_log=False)


class _PatientProtocol(H11Protocol, asyncio.BufferedProtocol):
    """One connection. uvicorn itself waits for ever for the rest of a head, and for a client to take its answer.

    asyncio would hand over a quarter of a megabyte at once: with chunks of one byte that is a second of work, in which
    nobody else is answered.
    """

    limits: ClassVar[ServingLimits]
    metrics: ClassVar[Metrics]
    _clock: asyncio.TimerHandle | None = None
    _buffer: bytearray

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._buffer = bytearray(_READ)
        if len(self.connections) > self.limits.connections:
            self._end(503, f"{self.limits.connections} connections are open already: ask again in a moment.")
        self._watch()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002  # asyncio's own
        """Where asyncio puts what it reads."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Called by asyncio when it has read so much."""
        self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_clock()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn where the bytes are not HTTP."""
        self._end(400, msg)

    def _watch(self) -> None:
        """Run the clock while it is the client's turn. Its sending a little does not set the clock back."""
        working = self.cycle is not None and not self.cycle.response_complete
        if working and not self.flow.write_paused:
            self._stop_clock()  # the application has its own bounds
        elif self._clock is None:
            self._clock = self.loop.call_later(self.limits.patience, self._give_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _give_up(self) -> None:
        if self.conn.trailing_data[0] and not self.transport.is_closing():  # a part of a head
            self._end(408, f"No whole request came within {self.limits.patience:g} s.")
        self.transport.abort()

    def _end(self, status: int, reason: str) -> None:
        """Answer, unless an answer has begun, and close."""
        self.metrics.connection_refused(status)
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            body = json.dumps({"error": reason}).encode()
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            head = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase)
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
