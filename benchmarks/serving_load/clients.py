"""The clients of a server under load: each kind of request, and whether its answer is right."""

import base64
import http.client
import json
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["KINDS", "Answer", "Client", "scraped"]

KINDS = (
    *["one picture"] * 10,
    *["several pictures"] * 4,
    *["a broken picture"] * 2,
    "too large",
    "no JSON",
    "sent slowly",
    "sent by half",
)
"""In turn: of twenty requests so many are of each kind."""
RIGHT = {"too large": 413, "no JSON": 400, "sent by half": 0}
TOO_LARGE = 40_000_000
"""Bytes that such a request announces."""
TOLERANCE = 1e-4
"""Between probabilities in company and alone."""


class Answer(NamedTuple):
    """What came of one attempt; `status` is 0 where nobody answered.

    `start` is the server's, `version` the one that answered. `final` tells that the client does not ask again. `wrong`
    says what should not have come.
    """

    kind: str
    start: int
    status: int
    seconds: float
    version: str = ""
    final: bool = True
    wrong: str = ""


class Client:
    """Asks about `pictures`, whose probabilities by version are `own`: [N, classes]."""

    def __init__(self, pictures: list[bytes], own: dict[str, np.ndarray]) -> None:
        self._pictures = pictures
        self._own = own

    def ask(self, address: str, number: int, start: int) -> Answer:
        """The request of that number, once."""
        kind = KINDS[number % len(KINDS)]
        chosen = [(number * 7 + step) % len(self._pictures) for step in range(self._count(kind, number))]
        contents = [self._pictures[each] for each in chosen]
        if kind == "a broken picture":
            contents[0] = contents[0][:500]
        body = json.dumps({"inputs": [base64.b64encode(each).decode() for each in contents]}).encode()
        if kind == "no JSON":
            body = body[:-3]
        began = time.perf_counter()
        status, answer = self._sent(address, kind, body)
        seconds = time.perf_counter() - began
        if status == 200:
            version = answer["model"]["version"]
            wrong = self._wrong(kind, answer["predictions"], self._own[version][chosen])
            return Answer(kind, start, status, seconds, version, wrong=wrong)
        expected = RIGHT.get(kind, 503)
        wrong = "" if status in (0, 503, expected) else f"{kind}: {status}"
        return Answer(kind, start, status, seconds, final=status == expected != 503, wrong=wrong)

    def _count(self, kind: str, number: int) -> int:
        return {"several pictures": 2 + number % 7, "a broken picture": 2}.get(kind, 1)

    def _sent(self, address: str, kind: str, body: bytes) -> tuple[int, dict]:
        place = urlsplit(address)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)
        try:
            connection.putrequest("POST", place.path)
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(TOO_LARGE if kind == "too large" else len(body)))
            connection.endheaders()
            if kind == "sent by half":
                connection.send(body[: len(body) // 2])
                return 0, {}
            if kind == "sent slowly":
                for part in range(4):
                    connection.send(body[part * len(body) // 4 : (part + 1) * len(body) // 4])
                    time.sleep(0.1)
            else:
                connection.send(body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()

    def _wrong(self, kind: str, rows: list[dict], expected: np.ndarray) -> str:
        if kind in RIGHT:
            return f"{kind}: 200"
        if kind == "a broken picture":
            if not rows[0]["error"]:
                return "a broken picture has no error"
            rows, expected = rows[1:], expected[1:]
        got = np.array([[value for name, value in row.items() if name.startswith("probability_")] for row in rows])
        if got.shape != expected.shape or np.abs(got - expected).max() > TOLERANCE:
            return f"{kind}: another label than the version's own"
        return ""


def scraped(address: str) -> dict[str, float]:
    """How many answers of each status to /invocations the server has counted, by Prometheus' own parser."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {
        each.labels["status"]: each.value
        for each in samples
        if each.name == "frostline_requests_total" and each.labels["path"] == "/invocations"
    }
