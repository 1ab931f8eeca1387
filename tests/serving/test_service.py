"""Requests that are decoded beside one another and labelled together, by the version that was there when they came."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from frostline.registry.models import load_champion


def test_requests_that_wait_are_labelled_in_one_call(serving, model, version):
    with serving(version(model)) as server, ThreadPoolExecutor(9) as clients:
        first = clients.submit(server.post, b"wait")
        assert model.begun.wait(60)
        others = [clients.submit(server.post, bytes([65 + number])) for number in range(8)]
        while server.service.open < 9 or server.service.version.joint.waiting < 8:
            pass
        model.go_on.set()
        labels = [other.result().json()["predictions"][0]["label"] for other in others]
        assert first.result().status_code == 200
    assert labels == list("ABCDEFGH")
    assert model.asked == [1, 2, 1, 8]  # the first two are no requests: they warm up


def test_the_company_of_a_picture_changes_its_answer_by_rounding_alone(serving, crown, stores, tmp_path, cells):
    champion = load_champion(crown(stores, tmp_path, "joined"), "joined")
    contents = [cell.read_bytes() for cell in cells[:16]]
    alone = pd.concat([champion.model.predict(pd.DataFrame({"image": [content]})) for content in contents])
    with serving(champion) as server, ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(server.post, contents))
        sizes = server.get("/metrics").text
    got = pd.DataFrame([answer.json()["predictions"][0] for answer in answers])
    columns = ["probability_defective", "probability_functional"]
    np.testing.assert_allclose(got[columns], alone[columns], atol=1e-6)
    assert got["label"].tolist() == alone["label"].tolist()
    assert "frostline_batch_pictures_count" in sizes


def test_an_older_version_decodes_by_itself(serving, crown, stores, tmp_path, cells, monkeypatch):
    champion = load_champion(crown(stores, tmp_path, "older"), "older")
    with serving(champion) as server:
        expected = server.post(cells[0].read_bytes()).json()
    monkeypatch.delattr(type(champion.model.unwrap_python_model()), "decode")
    monkeypatch.setattr(champion.model, "predict", lambda asked: told(asked["image"]))

    def told(images: pd.Series) -> pd.DataFrame:
        assert all(isinstance(image, bytes) for image in images)
        return pd.DataFrame({"label": ["defective"] * len(images), "error": ""})

    with serving(champion) as server:
        assert server.post(cells[0].read_bytes()).json()["model"] == expected["model"]


def test_a_request_is_answered_by_the_version_that_it_came_to(serving, model, version):
    with serving(version(model)) as server, ThreadPoolExecutor(1) as clients:
        first = clients.submit(server.post, b"wait")
        assert model.begun.wait(60)
        server.service.take_up(version(type(model)(), "2"))
        second = server.get("/version").json()
        model.go_on.set()
        assert first.result().json()["model"] == {"name": "frostline-cells", "version": "1"}
        assert first.result().headers["Model-Version"] == "frostline-cells/1"
        assert second == {"model": "frostline-cells", "version": "2"}
