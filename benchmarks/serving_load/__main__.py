"""Whether `frostline serve` can be operated: good and bad requests of many clients while it is stopped and changed.

    python -m benchmarks.serving_load

Serves a small VGG16 that it trains itself. After a fifth of the requests the server gets SIGTERM and is started again,
later another version becomes the champion, and later still the first again. Who is sent away with 503, or finds nobody,
asks again. Every label is compared with what the version that the answer names gives by itself. Writes
`serving_load.csv`, a row per kind of request, and `serving_load-memory.csv`. It ends with an error if an answer was not
as it should be.
"""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pandas as pd
import psutil
import requests

from frostline.config.load import load_config
from frostline.registry.models import load_version, name_of
from frostline.tracking.runs import Tracker

from ..measuring import Option, describe, machine, markdown_table, parse
from ..project import DATASET, enter_smallest, make_champion, register_another
from .clients import Answer, Client, scraped

STOPPED, CHANGED, WARM, CHANGED_AGAIN = 0.2, 0.3, 0.5, 0.7
"""After which share of the requests the server is stopped, the champion changes, the server's memory is looked at."""


class Server:
    """`frostline serve`, which can be started again at the same place; what it says goes into `log`."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.starts = 0
        self.codes: list[int] = []
        self.address = ""
        self._start("0")

    def _start(self, port: str) -> None:
        command = [str(Path(sys.executable).parent / "frostline"), "serve", "--port", port]
        command += ["--poll", "0", "--grace", "30"]
        said = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("a") as log:
            self.process = subprocess.Popen(command, stderr=log)
        self.starts += 1
        while not (found := re.search(r"http://\S+/invocations", self._log.read_text()[said:])):
            if self.process.poll() is not None:
                raise SystemExit(f"frostline serve ended before it served: {self._log.read_text()[said:]}")
            sleep(0.2)
        self.address = found[0]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.codes.append(self.process.wait(60))

    def restart(self) -> None:
        self.stop()
        self._start(self.address.rpartition(":")[2].partition("/")[0])

    def megabytes(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 1e6


def main() -> None:
    options = parse(__doc__, requests=Option(5000, smallest=100), clients=Option(16, smallest=4))
    enter_smallest((options.output if options.smallest else options.work) / "project")
    tracker = Tracker.open(load_config().stores, DATASET)
    first, second = "1", register_another(tracker)
    make_champion(tracker, first)
    versions = {number: load_version(tracker, name_of(DATASET), number).model for number in (first, second)}
    pictures = [path.read_bytes() for path in sorted(Path("pictures").rglob("*.png"))]
    client = Client(pictures, {number: labelled(model, pictures) for number, model in versions.items()})
    one_change = threading.Lock()
    server, megabytes = Server(Path("served.log").absolute()), {}

    def change(number: str) -> None:
        with one_change:
            make_champion(tracker, number)
            server.process.send_signal(signal.SIGHUP)
            while (
                requests.get(server.address.replace("invocations", "version"), timeout=60).json()["version"] != number
            ):
                sleep(0.2)

    def change_first() -> None:
        megabytes["before the champion has changed"] = server.megabytes()
        change(second)

    def look() -> None:
        megabytes["after half of the requests"] = server.megabytes()

    events = {STOPPED: server.restart, CHANGED: change_first, WARM: look, CHANGED_AGAIN: lambda: change(first)}
    answers = ask_all(client, server, options.requests, options.clients, events)
    megabytes["after all"] = server.megabytes()
    counted = scraped(server.address)
    server.stop()
    table = by_kind(answers)
    memory = pd.DataFrame([{"when": when, "megabytes": round(value, 1)} for when, value in megabytes.items()])
    table.assign(**machine()).to_csv(options.output / "serving_load.csv", index=False)
    memory.assign(**machine()).to_csv(options.output / "serving_load-memory.csv", index=False)
    print(f"{markdown_table(table)}\n\n{markdown_table(memory)}\n\n{describe()}")
    latest = pd.Series([answer.status for answer in answers if answer.start == server.starts and answer.status])
    faults = {answer.wrong for answer in answers if answer.wrong}
    if server.codes != [0, 0]:
        faults.add(f"the server exited with {server.codes} after SIGTERM")
    if (seen := {answer.version for answer in answers if answer.version}) != {first, second}:
        faults.add(f"only version {seen} answered")
    if counted.get("200") != (latest == 200).sum():
        faults.add(f"/metrics says {counted.get('200')} answers of 200, the clients had {(latest == 200).sum()}")
    if faults:
        raise SystemExit("\n".join(sorted(faults)))


def labelled(model: Any, pictures: Sequence[bytes]) -> np.ndarray:
    """The probabilities of each picture, each labelled alone."""
    rows = [model.predict(pd.DataFrame({"image": [picture]})).filter(like="probability_") for picture in pictures]
    return pd.concat(rows).to_numpy()


def ask_all(
    client: Client, server: Server, most: int, clients: int, events: Mapping[float, Callable[[], None]]
) -> list[Answer]:
    """Every attempt of every request; what is to happen after a share of them is done by the client that is there."""
    numbers, due = count(), {int(share * most): event for share, event in events.items()}

    def ask(_: int) -> list[Answer]:
        answers = []
        while (number := next(numbers)) < most:
            due.get(number, lambda: None)()
            while True:
                answers.append(client.ask(server.address, number, server.starts))
                if answers[-1].final:
                    break
                sleep(0.2)
        return answers

    with ThreadPoolExecutor(clients) as pool:
        return [answer for part in pool.map(ask, range(clients)) for answer in part]


def by_kind(answers: Sequence[Answer]) -> pd.DataFrame:
    """A row per kind of request: how often each status came (0: nobody answered), and how long a 200 took."""
    table = pd.DataFrame(answers)
    rows = []
    for kind, part in [*table.groupby("kind", sort=False), ("all", table)]:
        statuses = part["status"].value_counts()
        waited = part.loc[part["status"] == 200, "seconds"] * 1000
        rows.append(
            {"kind": kind, "requests": part["final"].sum()}
            | {str(status): statuses.get(status, 0) for status in sorted(table["status"].unique())}
            | {"wrong": (part["wrong"] != "").sum()}
            | {f"p{share} ms": round(waited.quantile(share / 100), 1) for share in (50, 99)}
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
