"""How a server starts and stops: what it says of itself meanwhile, and with which exit code it ends."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

pytestmark = pytest.mark.usefixtures("heeded_signals")

STARTS = """
import sys
from frostline.errors import RegistryError
from frostline.runtime.ending import ended
from frostline.serving.connections import listen
from frostline.serving.limits import ServingLimits
from frostline.serving.process import Server, serve
from frostline.serving.server import create_app
from frostline.serving.service import Service

def load():
    sys.stdin.readline()
    raise RegistryError("It does not load.")

service = Service(ServingLimits())
with ended(), listen("127.0.0.1", 0) as listener:
    print(listener.getsockname()[1], flush=True)
    serve(Server(create_app(service), service), listener, load, lambda: print("asked", flush=True))
"""


def test_without_a_model_the_process_lives_and_is_not_ready(serving):
    with serving(None) as server:
        assert [server.get(path).status_code for path in ("/health", "/ping", "/ready", "/version")] == [
            200,
            200,
            503,
            503,
        ]
        answer = server.post(b"a")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json() == {"error": "The model is being loaded: ask again in a moment."}


def test_what_has_begun_is_answered_before_the_server_stops(serving, model, version):
    with serving(version(model), grace=30) as server, ThreadPoolExecutor(1) as clients:
        assert server.get("/ready").status_code == 200
        begun = clients.submit(server.post, b"wait")
        assert model.begun.wait(60)
        server.server.should_exit = True
        while server.get("/ready").status_code == 200:
            time.sleep(0.02)
        assert server.get("/health").status_code == 200
        new = server.post(b"a")
        assert (new.status_code, new.json()["error"]) == (503, "The server is stopping.")
        model.go_on.set()
        assert begun.result().json()["predictions"] == [{"label": "wait", "error": ""}]


def test_what_takes_longer_than_the_grace_is_told_so(serving, model, version):
    with serving(version(model), grace=0.5) as server, ThreadPoolExecutor(1) as clients:
        begun = clients.submit(server.post, b"wait")
        assert model.begun.wait(60)
        server.server.should_exit = True
        assert (begun.result().status_code, begun.result().json()["error"]) == (503, "The server is stopping.")
        model.go_on.set()


def test_a_server_whose_first_version_does_not_load_ends_with_an_error():
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", STARTS], text=True, **pipes) as server:
        address = f"http://127.0.0.1:{int(server.stdout.readline())}"
        assert requests.get(f"{address}/health", timeout=60).status_code == 200
        assert requests.get(f"{address}/ready", timeout=60).status_code == 503
        server.send_signal(signal.SIGHUP)
        assert server.stdout.readline() == "asked\n"
        _, said = server.communicate("\n", timeout=60)
    assert server.returncode == 1
    assert said == "Error: It does not load.\n"
