import socket

import pytest

from frostline.config.schema import StoresConfig
from frostline.errors import StoreError
from frostline.tracking.store import Store


def test_a_server_that_does_not_answer_is_waited_for_aloud(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("frostline.tracking.store._SECONDS_OF_SILENCE", 0.1)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ada:s3cret@{place}")
        stores = StoresConfig(tracking="unused", studies="unused", cache=tmp_path, cache_gigabytes=1)
        with pytest.raises(StoreError, match="cannot be opened"):
            Store.open(stores)
    said = capsys.readouterr()
    assert f"Waiting for the MLflow store http://{place} to answer." in said.out + said.err
