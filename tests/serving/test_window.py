"""GET /drift: the last pictures that the version labelled which answers, held against its test images."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frostline.registry.models import LoadedVersion
from frostline.serving import window


class Telling:
    """Answers a picture by the numbers that its bytes spell: strangeness, and the probability of a dog."""

    model_config = {"classes": ["cat", "dog"], "outliers": 0.01}  # noqa: RUF012

    def unwrap_python_model(self) -> "Telling":
        return self

    def predict(self, asked: pd.DataFrame) -> pd.DataFrame:
        rows = [[float(number) for number in content.decode().split()] for content in asked["image"]]
        numbers = [row or [np.nan, np.nan] for row in rows]
        strangeness, dog = np.array(numbers).T
        errors = ["" if row else "unreadable: no" for row in rows]
        answers = {"label": "dog", "probability": dog, "known": strangeness <= 1, "strangeness": strangeness}
        told = answers if "outliers" in self.model_config else {"label": "dog", "probability": dog}
        return pd.DataFrame(told | {"error": errors, "probability_cat": 1 - dog, "probability_dog": dog})


def numbers(images: int, seed: int) -> np.ndarray:
    """[images, 2]: strangeness, and the probability of a dog."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.gamma(16, 1 / 40, size=images), rng.beta(0.5, 0.5, size=images)], axis=1)


def pictures(images: int, seed: int, stranger: float = 1) -> list[bytes]:
    return [b"%f %f" % (stranger * strangeness, dog) for strangeness, dog in numbers(images, seed)]


@pytest.fixture
def loaded(tmp_path: Path):
    """`loaded(number)`: a version with answers to 400 test images."""
    strangeness, dog = numbers(400, seed=1).T
    table = {"image": "x", "group": np.arange(400), "probability_cat": 1 - dog, "probability_dog": dog}
    (tmp_path / "artifacts").mkdir()
    pd.DataFrame(table | {"strangeness": strangeness}).to_csv(tmp_path / "artifacts/predictions.csv", index=False)
    return lambda number="1": LoadedVersion("frostline-cells", number, Telling(), tmp_path)


def test_the_last_pictures_are_compared_and_none_before_them(serving, loaded) -> None:
    with serving(loaded(), window=100) as server:
        server.post(*pictures(40, seed=2))
        few = server.get("/drift").json()
        assert (few["verdict"], few["pictures"], few["quantities"]) == ("too few pictures", 40, [])
        server.post(*pictures(60, seed=3), b"")
        alike = server.get("/drift").json()
        assert alike["model"] == {"name": "frostline-cells", "version": "1"}
        assert (alike["verdict"], alike["pictures"], alike["reference"]) == ("no drift", 100, 400)
        assert [share["name"] for share in alike["shares"]] == ["cat", "dog"]
        for seed in (4, 5):
            server.post(*pictures(50, seed, stranger=1.5))
        other = server.get("/drift").json()
        assert (other["verdict"], other["pictures"]) == ("other pictures", 100)
        assert "strangeness" in other["because"]
        assert "frostline_window_pictures 100.0\n" in server.get("/metrics").text


def test_a_new_champion_begins_anew(serving, loaded) -> None:
    with serving(loaded()) as server:
        server.post(*pictures(60, seed=2))
        server.service.take_up(loaded("2"))
        found = server.get("/drift").json()
    assert (found["model"]["version"], found["pictures"]) == ("2", 0)


def test_a_version_that_does_not_tell_strangeness_is_compared_without(serving, loaded, monkeypatch) -> None:
    monkeypatch.setattr(Telling, "model_config", {"classes": ["cat", "dog"]})  # but its table has it
    with serving(loaded()) as server:
        assert server.post(*pictures(60, seed=2)).status_code == 200
        found = server.get("/drift").json()
    assert [quantity["name"] for quantity in found["quantities"]] == ["shares of classes", "probability of cat"]


def test_a_version_without_a_reference_says_so(serving, model, version) -> None:
    with serving(version(model)) as server:
        assert server.post(b"A").status_code == 200
        answer = server.get("/drift")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("frostline-cells version 1 carries no answers to test images: ")


def test_labelling_goes_on_while_pictures_are_compared(serving, loaded, monkeypatch) -> None:
    begun, go_on, compare = threading.Event(), threading.Event(), window.compare

    def slow(*answers):
        begun.set()
        assert go_on.wait(60)
        return compare(*answers)

    monkeypatch.setattr(window, "compare", slow)
    with serving(loaded()) as server, ThreadPoolExecutor(1) as clients:
        server.post(*pictures(60, seed=2))
        asked = clients.submit(server.get, "/drift")
        assert begun.wait(60)
        assert server.post(*pictures(30, seed=3)).status_code == 200
        go_on.set()
        assert asked.result().json()["pictures"] == 60
        assert server.get("/drift").json()["pictures"] == 90
