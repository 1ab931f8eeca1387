"""What is noted of a request, in the log and in /metrics, and what is not."""

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families


def samples(server) -> dict[tuple[str, ...], float]:
    """The values of /metrics by name and labels, as Prometheus' own parser reads them."""
    families = text_string_to_metric_families(server.get("/metrics").text)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def test_a_request_is_a_line_of_json_without_what_it_holds(serving, model, version, capsys):
    with serving(version(model), access_log=True) as server:
        answer = server.post(b"secret", b"bad", **{"X-Request-ID": "ab-12"})
        server.get("/health?token=secret")
        requests = [server.get("/nothing", **{"X-Request-ID": odd}) for odd in ("a b", "x" * 65)]
    said = capsys.readouterr().err
    assert "secret" not in said
    lines = [json.loads(line) for line in said.splitlines()]
    first = lines[0]
    assert answer.headers["X-Request-ID"] == first["request"] == "ab-12"
    assert first["seconds"] > 0
    assert first.pop("time").endswith("+00:00")
    assert {name: first[name] for name in ("method", "path", "status", "pictures", "version", "error")} == {
        "method": "POST",
        "path": "/invocations",
        "status": 200,
        "pictures": 2,
        "version": "1",
        "error": None,
    }
    assert first["bytes"] == len(json.dumps({"inputs": ["c2VjcmV0", "YmFk"]}))
    assert [(line["path"], line["status"]) for line in lines[1:]] == [("/health", 200), *[("/nothing", 404)] * 2]
    for request, line in zip(requests, lines[2:], strict=True):
        assert request.headers["X-Request-ID"] == line["request"]
        assert len(line["request"]) == 32


def test_the_log_can_be_switched_off(serving, model, version, capsys):
    with serving(version(model)) as server:
        assert server.post(b"a").status_code == 200
    assert capsys.readouterr().err == ""


def test_metrics_count_what_was_answered(serving, model, version):
    with serving(version(model)) as server:
        for contents in ([b"a"], [b"b", b"bad", b"c"]):
            assert server.post(*contents).status_code == 200
        assert server.post().status_code == 400
        assert server.get("/nothing").status_code == 404
        found = samples(server)
    assert found["frostline_requests_total", "/invocations", "200"] == 2
    assert found["frostline_requests_total", "/invocations", "400"] == 1
    assert found["frostline_requests_total", "other", "404"] == 1
    assert found["frostline_errors_total", "unreadable"] == 1
    assert found["frostline_request_seconds_count",] == 3
    assert (found["frostline_request_pictures_count",], found["frostline_request_pictures_sum",]) == (2, 4)
    assert (found["frostline_batch_pictures_count",], found["frostline_batch_pictures_sum",]) == (2, 4)
    assert found["frostline_pictures_labelled_total",] == 3
    assert found["frostline_pictures_refused_total", "unreadable"] == 1
    assert found["frostline_model_info", "frostline-cells", "1"] == 1
    assert found["frostline_requests_in_flight",] == found["frostline_portions_waiting",] == 0
    assert found["process_resident_memory_bytes",] > 1e6


def test_a_change_of_the_champion_is_counted(serving, model, version):
    with serving(version(model)) as server:
        server.service.take_up(version(model, "2"))
        found = samples(server)
    assert ("frostline_model_info", "frostline-cells", "1") not in found
    assert found["frostline_model_info", "frostline-cells", "2"] == found["frostline_champion_changes_total",] == 1


@pytest.mark.parametrize("accept", ["text/plain;version=0.0.4", "application/openmetrics-text; version=1.0.0"])
def test_metrics_come_in_the_form_that_is_asked_for(serving, accept):
    with serving(None) as server:
        answer = server.get("/metrics", Accept=accept)
    assert answer.headers["Content-Type"].startswith(accept.partition(";")[0])
    assert answer.text.rstrip().endswith("# EOF") == ("openmetrics" in accept)
