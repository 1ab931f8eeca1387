"""The server over real HTTP: 1,000 mixed requests of 8 clients, and one of each mistake."""

import base64
import gc
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pandas as pd
import psutil
import pytest
import requests
from PIL import Image

from frostline.data.images import load_square
from frostline.registry.models import load_champion, register_challenger
from frostline.registry.package import Candidate
from frostline.serving.limits import ServingLimits
from frostline.serving.service import Service
from frostline.tracking.runs import Tracker
from servers import answering

LIMITS = ServingLimits(megabytes=1, images=8)
KINDS = ("good", "several", "corrupt", "oversized", "text", "keys", "syntax")


@pytest.fixture(scope="module")
def champion(stores, tmp_path_factory, limits, make_network, make_record):
    folder = tmp_path_factory.mktemp("served")
    tracker = Tracker.open(stores, "served_http")
    model = make_network(folder, 7)
    record = make_record(model, tracker.start("study", {}).id, dataset="served_http")
    version = register_challenger(tracker, Candidate(record, folder, limits))
    tracker.client.set_registered_model_alias(version.name, "champion", version.version)
    return load_champion(tracker, "served_http")


@pytest.fixture(scope="module")
def address(champion) -> Iterator[str]:
    service = Service(LIMITS)
    service.take_up(champion)
    with answering(service) as (address, _):
        yield address


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


@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes])
@pytest.mark.parametrize(
    "form",
    [
        lambda text: {"dataframe_records": [{"image": text}]},
        lambda text: {"dataframe_records": [{"id": 7, "image": text}], "params": {"a": 1}},
        lambda text: {"dataframe_split": {"columns": ["image"], "data": [[text]]}},
        lambda text: {"dataframe_split": {"index": [3], "columns": ["id", "image"], "data": [[7, text]]}},
    ],
)
def test_mlflows_own_server_gives_the_same_answer(address, champion, cells, form, encode):
    from mlflow.pyfunc.scoring_server import invocations

    body = json.dumps(form(encode(cells[0].read_bytes()).decode()))
    schema = champion.model.metadata.get_input_schema()
    theirs = json.loads(invocations(body, "application/json", champion.model, schema).response)["predictions"]
    _, ours = post(address, body.encode())
    assert ours["predictions"] == theirs
    assert theirs[0]["error"] == ""


@pytest.fixture
def decoder(champion, monkeypatch):
    """`decoder(function)`: what the served model decodes with from now on."""
    served = champion.model.unwrap_python_model()
    return lambda function: monkeypatch.setitem(type(served)._square.__globals__, "load_square", function)


def test_threads_of_mlflows_server_decode_one_picture_at_a_time(champion, cells, decoder):
    contents = [cell.read_bytes() for cell in cells[:8]] * 4
    expected = champion.model.predict(pd.DataFrame({"image": contents}))
    decoding, most = [], []

    def counted(*arguments, **limits):
        decoding.append(1)
        most.append(len(decoding))
        try:
            return load_square(*arguments, **limits)
        finally:
            decoding.pop()

    decoder(counted)
    with ThreadPoolExecutor(8) as threads:
        asked = [pd.DataFrame({"image": [content]}) for content in contents]
        answers = pd.concat(threads.map(champion.model.predict, asked), ignore_index=True)
    pd.testing.assert_frame_equal(answers, expected, atol=1e-5)
    assert set(most) == {1}


def test_a_picture_for_which_there_is_too_little_memory_harms_no_other(address, cells, decoder):
    small, large = cells[0].read_bytes(), cells[1].read_bytes()

    def decode(content: bytes, *arguments, **limits):
        if content == large:
            raise MemoryError
        return load_square(content, *arguments, **limits)

    decoder(decode)
    _, answer = post(address, asked(encoded(large), encoded(small)))
    assert [row["error"] for row in answer["predictions"]] == ["no_memory: there is too little to decode it", ""]


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


def test_other_places_and_methods_are_answered_with_what_there_is(address):
    for method, path, status in (
        ("GET", "/ping", 200),
        ("HEAD", "/ping", 200),
        ("GET", "/health", 200),
        ("GET", "/ready", 200),
        ("HEAD", "/ready", 200),
        ("GET", "/metrics", 200),
        ("GET", "/version", 200),
        ("GET", "/invocations", 405),
        ("OPTIONS", "/invocations", 405),
        ("POST", "/ping", 405),
        ("GET", "/nothing", 404),
        ("GET", "/ping/", 404),
        ("GET", "/docs", 404),
    ):
        answer = requests.request(method, f"{address}{path}", timeout=60, allow_redirects=False)
        assert answer.status_code == status, (method, path)
        if status >= 400:
            assert "POST /invocations and GET /health, /ready, /version, /drift and /metrics" in answer.json()["error"]
    assert requests.get(f"{address}/invocations", timeout=60).headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"Content-Type": "application/json; charset=UTF-8"}, 200, None),
        ({"Content-Type": 'Application/JSON;charset="utf-8"'}, 200, None),
        ({"Content-Type": "application/json; charset=latin-1"}, 415, "is read as UTF-8, but the charset is 'latin-1'"),
        ({"Content-Type": "text/csv"}, 415, "must be application/json, but it is 'text/csv'"),
        (
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
            415,
            "encoding 'gzip' is not read: send the",
        ),
    ],
)
def test_the_head_says_what_the_body_is(address, cells, headers, status, reason):
    answer = requests.post(f"{address}/invocations", asked(encoded(cells[0].read_bytes())), headers=headers, timeout=60)
    assert answer.status_code == status
    assert reason is None or reason in answer.json()["error"]


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
