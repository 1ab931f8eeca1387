"""A server on a real port, and a model whose speed and failures a test chooses by the bytes of a picture."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import requests

from frostline.registry.models import LoadedVersion
from frostline.serving.limits import ServingLimits
from frostline.serving.process import Server
from frostline.serving.service import Service
from servers import answering


class Model:
    """Labels a picture by its bytes; waits for `go_on` at b"wait"."""

    model_config: ClassVar[dict[str, object]] = {}

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def unwrap_python_model(self) -> "Model":
        return self

    def predict(self, asked: pd.DataFrame) -> pd.DataFrame:
        contents = list(asked["image"])
        self.asked.append(len(contents))
        if b"wait" in contents:
            self.begun.set()
            self.go_on.wait(60)
        errors = ["unreadable: no" if content == b"bad" else "" for content in contents]
        return pd.DataFrame({"label": [content.decode() for content in contents], "error": errors})


class Asked:
    """A server at `address`, and its `service`."""

    def __init__(self, address: str, service: Service, server: Server) -> None:
        self.address = address
        self.service = service
        self.server = server

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.address}{path}", headers=headers, timeout=60)

    def post(self, *contents: bytes, **headers: str) -> requests.Response:
        body = {"inputs": [base64.b64encode(content).decode() for content in contents]}
        return requests.post(f"{self.address}/invocations", json=body, headers=headers, timeout=60)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def version():
    """`version(model, number)`: a loaded version of frostline-cells."""
    return lambda model, number="1": LoadedVersion("frostline-cells", number, model, Path())


@pytest.fixture
def serving():
    """`with serving(loaded, ...)`: a server of that version, if any, inside the block."""

    @contextmanager
    def serve(loaded: LoadedVersion | None, *, access_log: bool = False, **limits: float) -> Iterator[Asked]:
        service = Service(ServingLimits(**limits))
        if loaded:
            service.take_up(loaded)
        with answering(service, access_log=access_log) as (address, server):
            yield Asked(address, service, server)

    return serve
