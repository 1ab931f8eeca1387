"""The process of a server: from the first request that is refused because nothing is loaded, to the last answer."""

import asyncio
import math
import os
import signal
import socket
import threading
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from frostline.data.images import quiet_decoders
from frostline.runtime.ending import Interrupted
from frostline.runtime.progress import say
from frostline.serving.connections import server_config
from frostline.serving.service import Service

__all__ = ["Server", "serve"]

_SECONDS_BETWEEN_LOOKS = 0.05
_TERMINAL = "/dev/tty"


class Server(uvicorn.Server):
    """uvicorn's, but for how it stops: what has begun is answered, for `limits.grace` s at most, and /ready and
    refusals are answered until then; uvicorn itself would stop listening first.
    """

    def __init__(self, app: FastAPI, service: Service) -> None:
        super().__init__(server_config(app, service))
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn after a signal."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._service.limits.grace
        self._service.stopping = True
        while self._service.open and loop.time() < end and not self.force_exit:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        self.config.timeout_graceful_shutdown = math.ceil(max(0, end - loop.time()))
        await super().shutdown(sockets)


def serve(server: Server, listener: socket.socket, load: Callable[[], None], follow: Callable[[], None]) -> None:
    """Answer at `listener` until SIGTERM or Ctrl-C, which ends the process: with 0, or as an interrupt does.

    `load` lets the first version be taken up, on another thread; what it raises ends the server, and is raised here.
    `follow` is called on SIGHUP, unless the terminal that the server was started from is closed: that ends it too.
    """
    failures: list[Exception] = []

    def begin() -> None:
        try:
            load()
        except Exception as error:
            failures.append(error)
            server.should_exit = True

    had_terminal = _has_terminal()

    def hang_up(*_: object) -> None:
        if had_terminal and not _has_terminal():
            signal.raise_signal(signal.SIGTERM)
        else:
            follow()

    signal.signal(signal.SIGHUP, hang_up)
    try:
        with quiet_decoders():
            threading.Thread(target=begin, daemon=True).start()
            server.run(sockets=[listener])
    except Interrupted as interrupted:
        say("Stopped serving.")
        asked = interrupted.code == 128 + signal.SIGTERM  # at once: an ordinary exit waits for what is being decoded
        os._exit(0 if asked else interrupted.code)
    if failures:
        raise failures[0]


def _has_terminal() -> bool:
    try:
        os.close(os.open(_TERMINAL, os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
