"""A new champion is taken up while the old one serves, and one that cannot be loaded is not."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial

import pytest

from frostline.errors import StoreError
from frostline.registry.models import find_champion, load_version, name_of, register_challenger
from frostline.serving.following import Follower
from frostline.serving.limits import ServingLimits
from frostline.serving.service import Service


@pytest.fixture
def registry(crown, stores_in, tmp_path, make_network, make_record, limits):
    """A tracker of the data set cells with a champion; `again(seed)` makes another version, and gives its number."""
    tracker = crown(stores_in(tmp_path), tmp_path / "1", "cells")

    def again(seed: int) -> str:
        folder = tmp_path / str(seed)
        record = make_record(make_network(folder, seed), tracker.start("study", {}).id, dataset="cells")
        version = register_challenger(tracker, record, folder, limits).version
        tracker.client.set_registered_model_alias(name_of("cells"), "champion", version)
        return version

    return tracker, again


def follower_of(service: Service, tracker, seconds: float = 0) -> Follower:
    return Follower(service, partial(find_champion, tracker, "cells"), partial(load_version, tracker), seconds)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("seconds", [0.05, 0])
def test_a_new_champion_is_taken_up_and_the_old_one_freed(registry, serving, cells, seconds):
    tracker, again = registry
    with serving(load_version(tracker, *find_champion(tracker, "cells"))) as server:
        old = weakref.ref(server.service.version._model.unwrap_python_model()._network)
        first = server.post(cells[0].read_bytes()).json()
        follower = follower_of(server.service, tracker, seconds)
        threading.Thread(target=follower.run, daemon=True).start()
        assert again(2) == "2"
        if not seconds:
            time.sleep(0.2)
            assert server.service.version.number == "1"
            follower.ask()
        wait_for(lambda: server.service.version.number == "2")
        second = server.post(cells[0].read_bytes()).json()
        wait_for(lambda: gc.collect() >= 0 and old() is None)
    assert (first["model"]["version"], second["model"]["version"]) == ("1", "2")
    assert first["predictions"] != second["predictions"]


def test_a_champion_that_cannot_be_loaded_is_said_once_and_the_old_one_goes_on(registry, capsys):
    tracker, again = registry
    service = Service(ServingLimits())
    follower = follower_of(service, tracker)
    follower.look()
    again(3)
    broken = load_version(tracker, *find_champion(tracker, "cells"))
    network = broken.network.read_bytes()
    broken.network.write_bytes(network[:-1])
    capsys.readouterr()
    for _ in range(2):
        follower.look()
    said = capsys.readouterr().err
    assert said.count("The champion cannot be taken up: frostline-cells version 2 cannot be loaded: the files in") == 1
    assert said.strip().endswith("Until then frostline-cells version 1 goes on serving.")
    assert service.version.number == "1"
    assert "frostline_champion_failures_total 2.0" in service.metrics.text("")[0].decode()
    broken.network.write_bytes(network)
    follower.look()
    assert service.version.number == "2"
    assert capsys.readouterr().err == "Serving frostline-cells version 2 from now on.\n"


def test_a_registry_that_does_not_answer_stops_nothing(registry, capsys):
    tracker, _ = registry
    service = Service(ServingLimits())
    service.take_up(load_version(tracker, *find_champion(tracker, "cells")))

    def find() -> tuple[str, str]:
        raise StoreError("The store does not answer.")

    follower = Follower(service, find, partial(load_version, tracker), 0)
    for _ in range(2):
        follower.look()
    assert capsys.readouterr().err.count("The champion cannot be taken up: The store does not answer.") == 1
    assert service.ready


def test_a_version_that_fails_on_its_first_picture_is_not_taken_up(model, version, capsys):
    service = Service(ServingLimits())
    service.take_up(version(model))

    class Failing(type(model)):
        def predict(self, _):
            raise RuntimeError("no such layer")

    follower = Follower(service, lambda: ("frostline-cells", "2"), lambda _, number: version(Failing(), number), 0)
    follower.look()
    assert "The champion cannot be taken up: no such layer" in capsys.readouterr().err
    assert service.version.number == "1"
