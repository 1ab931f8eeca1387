"""Clients that mean harm, against a real server: each costs no more than its bounds, and harms no other."""

import base64
import json
import logging
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import requests
from uvicorn.protocols.http.h11_impl import H11Protocol

from frostline.registry.models import LoadedVersion
from frostline.serving.limits import ServingLimits
from frostline.serving.service import Service
from servers import answering

pytestmark = pytest.mark.usefixtures("heeded_signals")

JSON = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class Model:
    """Answers as a served model does, at a speed and with failures that a test chooses by the bytes of a picture."""

    model_config: ClassVar[dict[str, object]] = {}

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def predict(self, asked: pd.DataFrame) -> pd.DataFrame:
        for content in asked["image"]:
            if content == b"fail":
                raise RuntimeError("out of memory on \N{SNOWMAN} device\nand more lines")
            if content == b"wait":
                self.begun.set()
                self.go_on.wait(60)
        return pd.DataFrame({"label": [content.decode("latin-1") for content in asked["image"]], "error": ""})

    def unwrap_python_model(self) -> "Model":
        return self


@contextmanager
def serving(model: Model | None = None, **changes: float) -> Iterator[tuple[str, int]]:
    """The place of a server that runs inside the block, of little patience."""
    limits = ServingLimits(**{"megabytes": 1, "patience": 1, **changes})
    service = Service(limits)
    service.take_up(LoadedVersion("frostline-cells", "1", model or Model(), Path()))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with answering(service, listener=listener):
        yield listener.getsockname()


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, int]]:
    with serving() as place:
        yield place


def send(place: tuple[str, int], data: bytes) -> socket.socket:
    connection = socket.create_connection(place, timeout=30)
    connection.sendall(data)
    return connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def asked(*contents: bytes) -> dict[str, list[str]]:
    return {"inputs": [base64.b64encode(content).decode() for content in contents]}


def post(place: tuple[str, int], *contents: bytes) -> requests.Response:
    return requests.post(f"http://{place[0]}:{place[1]}/invocations", json=asked(*contents), timeout=60)


def post_until(status: int, place: tuple[str, int], *contents: bytes) -> requests.Response:
    """The answer of that status, for which clients before this one may still have to come or go."""
    for _ in range(100):
        answer = post(place, *contents)
        if answer.status_code == status:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"The answer is always {answer.status_code}.")


def bomb(width: int, height: int) -> bytes:
    """A PNG of which the head alone is there."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = [struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)), struct.pack(">I", 100) + b"IDAT"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def send_for_ever(connection: socket.socket, data: bytes, pause: float = 0) -> None:
    while True:
        connection.sendall(data)
        time.sleep(pause)


def test_a_request_whose_pictures_are_too_much_work_is_refused_undecoded(place):
    answer = post(place, *[bomb(10_000, 9_000)] * 6)
    assert answer.status_code == 413
    assert re.search(r"Decoding these pictures takes \d{4} MB; 4000 are allowed", answer.json()["error"])
    assert post(place, b"a").json()["predictions"] == [{"label": "a", "error": ""}]


def test_a_small_request_is_answered_before_a_large_one_that_came_earlier():
    model, order = Model(), []

    def ask(place: tuple[str, int], *contents: bytes) -> None:
        assert post(place, *contents).status_code == 200
        order.append(len(contents))

    with serving(model) as place, ThreadPoolExecutor(2) as clients:
        large = clients.submit(ask, place, b"wait", *[bomb(4000, 4000)] * 8)
        assert model.begun.wait(60)
        small = clients.submit(ask, place, b"a")
        time.sleep(0.5)
        model.go_on.set()
        large.result()
        small.result()
    assert order == [1, 9]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-", b"408 Request Timeout"),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\nGET /pi", b"408 Request Timeout"),
        (JSON + b"Content-Length: 100\r\n\r\n{", b"408 Request Timeout"),
        (JSON + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"408 Request Timeout"),
    ],
)
def test_what_is_sent_by_half_is_not_waited_for(place, sent, status):
    connections = [send(place, sent) for _ in range(20)]
    assert requests.get(f"http://127.0.0.1:{place[1]}/ping", timeout=60).status_code == 200
    for connection in connections:
        answer = rest(connection)
        assert status in answer
        assert (b'{"error":' in answer) == bool(status)


def test_a_head_that_comes_letter_by_letter_is_not_waited_for(place):
    connection = send(place, JSON)
    with pytest.raises(OSError, match=r"Broken pipe|reset"):
        send_for_ever(connection, b"X", pause=0.05)


def test_a_client_that_takes_no_answers_is_let_go(place):
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(place)
        connection.settimeout(10)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):  # not a timeout: the server has closed it
            send_for_ever(connection, b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n" * 100)


def test_a_body_without_end_is_refused_where_it_is_too_large(place):
    connection = send(place, JSON + b"Transfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(OSError, match=r"Broken pipe|reset"):
        send_for_ever(connection, b"10000\r\n" + b" " * 65536 + b"\r\n")
    length = send(place, JSON + b"Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n")
    assert length.recv(65536).startswith(b"HTTP/1.1 413")


def test_no_client_keeps_the_server_with_much_that_is_read_at_once(place, monkeypatch):
    sizes = []

    def received(self, data: bytes) -> None:
        sizes.append(len(data))
        receive(self, data)

    receive = H11Protocol.data_received
    monkeypatch.setattr(H11Protocol, "data_received", received)
    chunks = b"1\r\n \r\n" * 30_000 + b"0\r\n\r\n"
    connection = send(place, JSON + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert b"The body is not JSON" in rest(connection)
    assert max(sizes) <= 16_384


def test_all_requests_together_hold_no_more_than_eight_bodies():
    with serving(megabytes=0.1, patience=10) as place:
        held = [send(place, JSON + b"Content-Length: 99000\r\n\r\n" + b" " * 98_000) for _ in range(8)]
        for _ in range(30):  # the server reads a little of each, and answers
            requests.get(f"http://127.0.0.1:{place[1]}/ping", timeout=60)
        answer = post(place, bytes(60_000))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        for connection in held:
            connection.close()
        post_until(200, place, b"a")


def test_more_requests_than_may_wait_are_sent_away():
    model = Model()
    with serving(model, requests=1) as place, ThreadPoolExecutor(1) as clients:
        first = clients.submit(post, place, b"wait")
        assert model.begun.wait(60)
        answer = post(place, b"a")
        model.go_on.set()
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["error"].startswith("1 requests are waiting already")
        assert first.result().status_code == 200


def test_more_connections_than_may_be_open_are_closed_at_once():
    with serving(connections=5, patience=10) as place:
        held = [send(place, b"") for _ in range(5)]
        assert b"503 Service Unavailable" in rest(send(place, b""))
        for connection in held:
            connection.close()
        post_until(200, place, b"a")


def test_an_answer_that_takes_too_long_is_an_error_and_others_are_answered():
    model = Model()
    with serving(model, seconds=0.5) as place:
        late = post(place, b"wait")
        model.go_on.set()
        assert late.status_code == 504
        assert late.json()["error"] == "No answer within 0.5 s: send fewer pictures at once, or later."
        assert post(place, b"a").status_code == 200


def test_a_model_that_fails_is_an_error_of_that_request_alone(place, caplog):
    failed = post(place, b"fail")
    assert failed.status_code == 500
    assert failed.json()["error"] == (
        r"The model failed on this request (RuntimeError: out of memory on \u2603 device); others are not affected."
    )
    assert post(place, b"a").status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_clients_that_leave_are_forgotten_without_a_word(caplog):
    model = Model()
    with serving(model) as place:
        send(place, JSON + b"Content-Length: 100\r\n\r\n{").close()
        body = json.dumps(asked(b"wait", *[bomb(4000, 4000)] * 3)).encode()
        leaves = send(place, JSON + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert model.begun.wait(60)
        leaves.close()
        model.go_on.set()
        assert post(place, b"a").status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (b"no HTTP\r\n\r\n", [b"400"]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [b"404", b"400"]),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000, [b"400"]),
        (JSON + b"Content-Length: -1\r\n\r\n", [b"400"]),
        (JSON + b"Content-Length: 2\r\n\r\n{}garbage\r\n\r\n", [b"400", b"400"]),
        (JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", [b"400"]),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", [b"404"]),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", [b"200"]),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n", [b"200", b"200"]),
    ],
)
def test_bytes_that_are_hardly_http_are_answered(place, sent, statuses, caplog):
    answer = rest(send(place, sent))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == statuses
    assert requests.get(f"http://127.0.0.1:{place[1]}/ping", timeout=60).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


STARTS = """
import time
from pathlib import Path
from frostline.runtime.ending import ended
from frostline.serving.connections import listen
from frostline.serving.limits import ServingLimits
from frostline.serving.process import Server, serve
from frostline.serving.server import create_app
from frostline.serving.service import Service
from frostline.registry.models import LoadedVersion

class Slow:
    model_config = {}

    def predict(self, asked):
        time.sleep(60 * any(asked["image"]))

    def unwrap_python_model(self):
        return self

service = Service(ServingLimits(grace=1))
service.take_up(LoadedVersion("frostline-cells", "1", Slow(), Path()))
with ended(), listen("127.0.0.1", 0) as listener:
    print(listener.getsockname()[1], flush=True)
    serve(Server(create_app(service), service), listener, lambda: None, lambda: None)
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that have just been started."""
    command = [sys.executable, "-c", STARTS]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]
    yield started
    for server in started:
        server.kill()
        server.communicate()


@pytest.mark.parametrize(("number", "sent", "code"), [(0, signal.SIGTERM, 0), (1, signal.SIGINT, 130)])
def test_a_signal_stops_the_server_whatever_its_clients_do(servers, number, sent, code):
    server = servers[number]
    place = ("127.0.0.1", int(server.stdout.readline()))
    body = json.dumps(asked(b"a")).encode()
    busy = send(place, JSON + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    half = [send(place, data) for data in (b"", b"POST /inv", JSON + b"Content-Length: 100\r\n\r\n{")]
    assert requests.get(f"http://127.0.0.1:{place[1]}/ping", timeout=60).status_code == 200
    server.send_signal(sent)
    _, said = server.communicate(timeout=30)
    assert server.returncode == code
    assert "Traceback" not in said
    assert "Stopped serving." in said
    for unanswered in (busy, half[2]):
        assert b"The server is stopping." in rest(unanswered)
