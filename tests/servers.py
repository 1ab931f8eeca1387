"""Real servers on free loopback ports: PostgreSQL, MLflow's tracking server with it behind, and frostline's own."""

import base64
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import psutil
import pytest
import requests

if TYPE_CHECKING:
    from frostline.config.schema import StoresConfig
    from frostline.serving.process import Server
    from frostline.serving.service import Service

_SECONDS_TO_START = 120


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def answering(
    service: "Service", *, access_log: bool = False, listener: socket.socket | None = None
) -> Iterator[tuple[str, "Server"]]:
    """The address of a server of `service` that runs on a thread inside the block, and the server."""
    from frostline.serving.process import Server
    from frostline.serving.server import create_app

    server = Server(create_app(service, access_log=access_log), service)
    with listener or socket.create_server(("127.0.0.1", 0)) as place:
        thread = threading.Thread(target=server.run, args=([place],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{place.getsockname()[1]}", server
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


def served(stores: "StoresConfig", dataset: str, files: Sequence[Path]) -> pd.DataFrame:
    """What the champion of a data set answers over HTTP."""
    from frostline.registry.models import load_champion
    from frostline.serving.limits import ServingLimits
    from frostline.serving.service import Service
    from frostline.tracking.runs import Tracker

    service = Service(ServingLimits())
    service.take_up(load_champion(Tracker.open(stores, dataset), dataset))
    asked = {"inputs": [base64.b64encode(file.read_bytes()).decode() for file in files]}
    with answering(service) as (address, _):
        return pd.DataFrame(requests.post(f"{address}/invocations", json=asked, timeout=120).json()["predictions"])


def _program(name: str) -> str | None:
    """Of PostgreSQL, which Debian keeps out of PATH; the latest."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], str]]:
    """`new_database()`: the address of an empty database on a real PostgreSQL server."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'frostline[postgresql]')")
    initdb, control = _program("initdb"), _program("pg_ctl")
    if not initdb or not control:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    port, numbers = free_port(), count(1)

    def create() -> str:
        name = f"database{next(numbers)}"
        with psycopg.connect(f"postgresql://ada@127.0.0.1:{port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://ada@127.0.0.1:{port}/{name}"

    with tempfile.TemporaryDirectory() as folder:
        user = []
        if os.geteuid() == 0:  # PostgreSQL refuses to be root
            shutil.chown(folder, "postgres")
            user = ["runuser", "-u", "postgres", "--"]
        data, log = f"{folder}/data", f"{folder}/log"
        subprocess.run([*user, initdb, "-D", data, "-A", "trust", "-U", "ada"], check=True, capture_output=True)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        subprocess.run([*user, control, "-D", data, "-l", log, "-o", options, "-w", "start"], check=True)
        yield create
        subprocess.run([*user, control, "-D", data, "-m", "immediate", "stop"], check=True)


@dataclass(frozen=True)
class TrackingServer:
    """`mlflow server`: its address, and the folder that it keeps artifacts in."""

    address: str
    artifacts: Path
    process: psutil.Popen

    def stop(self) -> None:
        """Kill it with all that it started, as a machine that goes down does."""
        family = [*self.process.children(recursive=True), self.process] if self.process.is_running() else []
        for each in family:
            each.kill()
        psutil.wait_procs(family)


@pytest.fixture(scope="module")
def tracking_server(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrackingServer]:
    """MLflow's server as docs/stores.md starts it, with an empty database."""
    folder, port = tmp_path_factory.mktemp("tracking_server"), free_port()
    artifacts, log = folder / "artifacts", folder / "log.txt"
    options = [f"--backend-store-uri={new_database()}", f"--artifacts-destination={artifacts}", f"--port={port}"]
    command = [str(Path(sys.executable).parent / "mlflow"), "server", *options, "--host=127.0.0.1", "--workers=1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # eight more processes, for what frostline does not use
    with log.open("w") as output:
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    server = TrackingServer(f"http://127.0.0.1:{port}", artifacts, process)
    try:
        _wait_for(server, log)
        yield server
    finally:
        server.stop()


def _wait_for(server: TrackingServer, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while server.process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{server.address}/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    pytest.fail(f"mlflow server did not start:\n{log.read_text()[-3000:]}")
