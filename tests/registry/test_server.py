"""The server over real HTTP: 1,000 mixed requests of 8 clients, and one of each mistake."""

import base64
import gc
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import psutil
import pytest
import requests
import uvicorn
from PIL import Image

from frostline.registry.connections import server_config
from frostline.registry.limits import ServingLimits
from frostline.registry.models import load_champion, register_challenger
from frostline.registry.server import create_app
from frostline.tracking.runs import Tracker

LIMITS = ServingLimits(megabytes=1, images=8)
KINDS = ("good", "several", "corrupt", "oversized", "text", "keys", "syntax")


@pytest.fixture(scope="module")
def champion(stores, tmp_path_factory, limits, make_network, make_record):
    folder = tmp_path_factory.mktemp("served")
    tracker = Tracker.open(stores, "served_http")
    model = make_network(folder, 7)
    record = make_record(model, tracker.study_run("study", "served_http", 1, {}).id, dataset="served_http")
    version = register_challenger(tracker, record, folder, limits)
    tracker.client.set_registered_model_alias(version.name, "champion", version.version)
    return load_champion(tracker, "served_http")


@pytest.fixture(scope="module")
def address(champion) -> Iterator[str]:
    server = uvicorn.Server(server_config(create_app(champion, LIMITS), LIMITS))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def post(address: str, body: bytes, kind: str | None = "application/json") -> tuple[int, dict]:
    answer = requests.post(f"{address}/invocations", body, headers={"Content-Type": kind}, timeout=60)
    return answer.status_code, answer.json()


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def asked(*images: object) -> bytes:
    return json.dumps({"inputs": images}).encode()


def test_every_way_of_sending_a_picture_gives_the_same_answer(address, cells):
    content = cells[0].read_bytes()
    text, numbers = encoded(content), list(content)
    bodies = [
        {"inputs": [text]},
        {"instances": [text]},
        {"inputs": [numbers]},
        {"inputs": {"image": [text]}},
        {"instances": [{"image": text}]},
        {"dataframe_records": [{"image": text}]},
        {"dataframe_split": {"columns": ["image"], "data": [[text]]}},
    ]
    answers = [post(address, json.dumps(body).encode()) for body in bodies]
    assert all(answer == answers[0] for answer in answers)
    status, answer = answers[0]
    (row,) = answer["predictions"]
    assert (status, row["error"]) == (200, "")
    assert row["probability"] == max(row["probability_defective"], row["probability_functional"])


def test_mlflows_own_server_gives_the_same_answer(address, champion, cells):
    from mlflow.pyfunc.scoring_server import invocations

    body = json.dumps({"dataframe_records": [{"image": encoded(cells[0].read_bytes())}]})
    schema = champion.model.metadata.get_input_schema()
    theirs = json.loads(invocations(body, "application/json", champion.model, schema).response)["predictions"]
    _, ours = post(address, body.encode())
    assert ours["predictions"] == theirs


def test_a_bad_picture_is_an_error_of_its_own(address, cells):
    small = BytesIO()
    Image.new("RGB", (4, 4)).save(small, "PNG")
    good, truncated = cells[0].read_bytes(), cells[1].read_bytes()[:1000]
    status, answer = post(
        address,
        asked(encoded(good), encoded(truncated), encoded(b"text"), "?!", [1, 999], None, encoded(small.getvalue())),
    )
    rows = answer["predictions"]
    assert status == 200
    reasons = [row["error"].partition(":")[0] for row in rows]
    assert reasons == ["", "truncated", "unreadable", "not_base64", "not_bytes", "not_bytes", "too_small"]
    assert [row["probability"] is None for row in rows] == [False] + [True] * 6
    assert [bool(row["label"]) for row in rows] == [True] + [False] * 6


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        (b"{", "application/json", 400, "The body is not JSON"),
        (b"\xff\xfe", "application/json", 400, "The body is not JSON"),
        (b"[" * 100_000, "application/json", 400, "The body is not JSON"),
        (b"[]", "application/json", 400, "holds no list of pictures: send"),
        (b'{"inputs": []}', "application/json", 400, "holds no list of pictures: send"),
        (b'{"inputs": 3}', "application/json", 400, "holds no list of pictures: send"),
        (b'{"images": ["x"]}', "application/json", 400, "holds no list of pictures: send"),
        (
            b"image=x",
            "application/x-www-form-urlencoded",
            415,
            "must be application/json, but it is 'app",
        ),
        (b"{}", None, 415, "must be application/json, but it is 'missing'"),
        (json.dumps({"inputs": ["x"] * 9}).encode(), "application/json", 413, "holds 9 pictures; 8 are allowed"),
        (b" " * 1_000_001, "application/json", 413, "larger than 1 MB: send fewer or smaller pictures"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_with_the_reason(address, body, kind, status, reason):
    answered, answer = post(address, body, kind)
    assert answered == status
    assert reason in answer["error"]


def test_other_places_and_methods_are_no_server_errors(address):
    for path, status in (("/ping", 200), ("/version", 200), ("/invocations", 405), ("/nothing", 404)):
        assert requests.get(f"{address}{path}", timeout=60).status_code == status


def test_a_thousand_mixed_requests_of_eight_clients_are_all_answered_rightly(address, cells):
    _, expected = post(address, asked(*[encoded(cell.read_bytes()) for cell in cells[:8]]))
    rows = expected["predictions"]
    assert len({round(row["probability_defective"], 4) for row in rows}) == len(rows)  # so that no two can be mixed up
    good = [cell.read_bytes() for cell in cells[:8]]

    def same(answer: dict, wanted: list[dict]) -> bool:
        pairs = zip(answer["predictions"], wanted, strict=True)
        return all(
            got["label"] == row["label"] and abs(got["probability_defective"] - row["probability_defective"]) < 1e-5
            for got, row in pairs
        )

    def request(number: int) -> bool:
        kind = KINDS[number % len(KINDS)]
        one = number // len(KINDS) % 8
        if kind == "good":
            status, answer = post(address, asked(encoded(good[one])))
            return status == 200 and same(answer, [rows[one]])
        if kind == "several":
            status, answer = post(address, asked(*[encoded(each) for each in good[: one + 1]]))
            return status == 200 and same(answer, rows[: one + 1])
        if kind == "corrupt":
            status, answer = post(address, asked(encoded(good[one][:900]), encoded(good[one])))
            bad = answer["predictions"].pop(0)
            return status == 200 and bad["error"] != "" and same(answer, [rows[one]])
        if kind == "oversized":
            return post(address, b" " * 1_200_000)[0] == 413
        if kind == "text":
            status, answer = post(address, asked(encoded(b"not an image")))
            return status == 200 and answer["predictions"][0]["error"].startswith("unreadable")
        return post(address, b"{" if kind == "syntax" else b'{"pictures": []}')[0] == 400

    def memory() -> int:
        gc.collect()
        return psutil.Process().memory_info().rss

    with ThreadPoolExecutor(8) as clients:
        assert all(clients.map(request, range(200)))
        before = memory()
        assert all(clients.map(request, range(200, 1200)))
    assert memory() - before < 100e6
    assert same(post(address, asked(encoded(good[0])))[1], rows[:1])
