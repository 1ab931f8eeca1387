"""A new champion is taken up while the old one serves, and one that cannot be loaded is not."""

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from frostline.errors import StoreError
from frostline.registry.models import find_champion, load_version, name_of, register_challenger
from frostline.registry.package import Candidate
from frostline.serving import following
from frostline.serving.following import Follower
from frostline.serving.limits import ServingLimits
from frostline.serving.service import Service

NAME = "frostline-cells"


@pytest.fixture
def registry(crown, stores_in, tmp_path, make_network, make_record, limits):
    """A tracker of the data set cells with a champion; `again(seed)` makes another one, and gives its number."""
    tracker = crown(stores_in(tmp_path), tmp_path / "1", "cells")

    def again(seed: int) -> str:
        folder = tmp_path / str(seed)
        record = make_record(make_network(folder, seed), tracker.start("study", {}).id, dataset="cells")
        version = register_challenger(tracker, Candidate(record, folder, limits)).version
        tracker.client.set_registered_model_alias(name_of("cells"), "champion", version)
        return version

    return tracker, again


@pytest.fixture
def service(model, version) -> Service:
    service = Service(ServingLimits())
    service.take_up(version(model))
    return service


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_new_champion_of_a_registry_is_taken_up_and_a_damaged_one_is_not(registry, serving, cells, monkeypatch):
    tracker, again = registry
    said: list[str] = []
    monkeypatch.setattr(following, "say", said.append)
    with serving(None) as server:
        service, content = server.service, cells[0].read_bytes()
        follower = Follower(service, partial(find_champion, tracker, "cells"), partial(load_version, tracker), 0)
        follower.look()
        answers = [server.post(content).json()]
        old = weakref.ref(service.version._model.unwrap_python_model()._network)
        assert again(2) == "2"
        follower.look()
        answers.append(server.post(content).json())
        assert old() is None
        again(3)
        network = load_version(tracker, NAME, "3").network
        whole = network.read_bytes()
        network.write_bytes(whole[:-1])
        said.clear()
        for _ in range(2):
            follower.look()
        (words,) = said
        assert words.startswith(f"The champion cannot be taken up: {NAME} version 3 cannot be loaded: the files in")
        assert words.endswith(f"Until then {NAME} version 2 goes on serving.")
        assert "frostline_champion_failures_total 2.0" in server.get("/metrics").text
        answers.append(server.post(content).json())
        network.write_bytes(whole)
        follower.look()
        answers.append(server.post(content).json())
    assert [answer["model"]["version"] for answer in answers] == ["1", "2", "2", "3"]
    rows = [answer["predictions"] for answer in answers]
    assert rows[0] != rows[1] == rows[2] != rows[3]


def test_the_registry_is_asked_every_so_often_or_when_that_is_asked_for(service):
    times: list[int] = []
    over = threading.Event()

    def find() -> tuple[str, str]:
        if over.is_set():
            raise SystemExit
        times.append(1)
        return NAME, "1"

    def follow(follower: Follower) -> None:
        with suppress(SystemExit):
            follower.run()

    often, told = (Follower(service, find, lambda *_: None, seconds) for seconds in (0.01, 0))
    threading.Thread(target=follow, args=(told,), daemon=True).start()
    time.sleep(0.2)
    assert not times
    told.ask()
    wait_for(lambda: len(times) == 1)
    threading.Thread(target=follow, args=(often,), daemon=True).start()
    wait_for(lambda: len(times) > 3)
    over.set()
    told.ask()


def test_a_registry_that_does_not_answer_stops_nothing(service, capsys):
    def find() -> tuple[str, str]:
        raise StoreError("The store does not answer.")

    follower = Follower(service, find, lambda *_: None, 0)
    for _ in range(2):
        follower.look()
    said = f"The champion cannot be taken up: The store does not answer. Until then {NAME} version 1 goes on serving.\n"
    assert capsys.readouterr().err == said
    assert service.current().number == "1"


def test_a_version_that_fails_on_its_first_picture_is_not_taken_up(service, model, version, capsys):
    class Failing(type(model)):
        def predict(self, _):
            raise RuntimeError("no such layer.")

    Follower(service, lambda: (NAME, "2"), lambda _, number: version(Failing(), number), 0).look()
    assert "The champion cannot be taken up: no such layer. Until then" in capsys.readouterr().err
    assert service.version.number == "1"


def test_a_former_version_is_not_freed_while_it_answers(serving, model, version):
    with serving(version(model)) as server:
        asking = threading.Thread(target=server.post, args=(b"wait",))
        asking.start()
        assert model.begun.wait(60)
        server.service.take_up(version(type(model)(), "2"))
        freeing = threading.Thread(target=server.service.free_former)
        freeing.start()
        time.sleep(0.2)
        assert freeing.is_alive()
        model.go_on.set()
        freeing.join(60)
        asking.join(60)
        assert not freeing.is_alive()
