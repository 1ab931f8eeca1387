"""Whether it pays to label single pictures of several requests in one call of the network.

    python -m benchmarks.serving_joined

Two servers in this process have the same small VGG16: one joins up to 32 pictures, the other labels each request by
itself. In turn they are asked by 1, 4 and 16 clients, each with one picture at a time. Writes `serving_joined.csv`.
"""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import requests

from frostline.config.load import load_config
from frostline.registry.models import LoadedVersion, load_champion
from frostline.serving.limits import ServingLimits
from frostline.serving.process import Server
from frostline.serving.server import create_app
from frostline.serving.service import Service
from frostline.tracking.runs import Tracker

from .measuring import Option, describe, machine, markdown_table, parse
from .project import DATASET, enter_smallest

JOINED = (1, 32)
CLIENTS = (1, 4, 16)


def main() -> None:
    options = parse(
        __doc__, pictures=Option(256, smallest=16, help="per round"), rounds=Option(5, smallest=1, help="of each")
    )
    enter_smallest((options.output if options.smallest else options.work) / "project")
    version = load_champion(Tracker.open(load_config().stores, DATASET), DATASET)
    bodies = [
        json.dumps({"inputs": [base64.b64encode(path.read_bytes()).decode()]})
        for path in sorted(Path("pictures").rglob("*.png"))
    ]
    chosen = [bodies[number % len(bodies)] for number in range(options.pictures)]
    rows = []
    with serving(version, JOINED[0]) as alone, serving(version, JOINED[1]) as together:
        for clients in CLIENTS:
            for turn in range(options.rounds + 1):
                for joined, address in zip(JOINED, (alone, together), strict=True):
                    measured = {"clients": clients, "joined": joined} | ask_all(address, chosen, clients)
                    rows += [measured] if turn else []  # the first is not counted
    table = pd.DataFrame(rows)
    table.round(2).assign(**machine()).to_csv(options.output / "serving_joined.csv", index=False)
    shown = table.groupby(["clients", "joined"]).agg(
        lambda part: f"{part.median():.1f} ({part.min():.1f} to {part.max():.1f})"
    )
    print(f"{markdown_table(shown.reset_index())}\n\n{describe()}")


@contextmanager
def serving(version: LoadedVersion, joined: int) -> Iterator[str]:
    service = Service(ServingLimits(joined=joined))
    service.take_up(version)
    server = Server(create_app(service), service)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/invocations"
        server.should_exit = True
        thread.join()


def ask_all(address: str, bodies: Sequence[str], clients: int) -> dict[str, float]:
    """Pictures per second, and how many milliseconds half and 99 in 100 took at most."""

    def ask(first: int) -> list[float]:
        seconds = []
        with requests.Session() as session:
            for body in bodies[first::clients]:
                began = time.perf_counter()
                answer = session.post(address, body, headers={"Content-Type": "application/json"}, timeout=600)
                answer.raise_for_status()
                seconds.append(time.perf_counter() - began)
        return seconds

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        seconds = [each for part in pool.map(ask, range(clients)) for each in part]
    rate = len(bodies) / (time.perf_counter() - began)
    p50, p99 = np.percentile(np.array(seconds) * 1000, [50, 99])
    return {"pictures per second": rate, "p50 ms": p50, "p99 ms": p99}


if __name__ == "__main__":
    main()
