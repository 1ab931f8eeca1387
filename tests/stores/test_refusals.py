"""What MLflow's stores and the network refuse, through the client that frostline uses."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from frostline.config.schema import StoresConfig
from frostline.errors import StoreError
from frostline.stores.addresses import Address
from frostline.stores.refusals import Guarded, asking, or_none
from frostline.tracking.store import Store

ADDRESS = Address("postgresql://ada:s3/c@ret@db.org/x")
NAMED = r"The MLflow store postgresql://db\.org/x refused: "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        address = f"sqlite:///{folder}/mlflow.db"
        return Store.open(StoresConfig(tracking=address, studies="unused", cache=folder, cache_gigabytes=1))


def test_what_a_store_does_not_know_is_an_error_or_none(store: Store) -> None:
    with pytest.raises(StoreError, match=r"The MLflow store sqlite:///.* refused: .*Mend that and run again") as caught:
        store.client.get_run("0" * 32)
    assert caught.value.code == "RESOURCE_DOES_NOT_EXIST"
    assert or_none(store.client.get_run, "0" * 32) is None


def test_a_run_that_somebody_deleted_is_told_and_a_wrong_request_is_a_defect(store: Store) -> None:
    run = store.client.create_run(store.experiment("cells")).info.run_id
    store.client.log_param(run, "depth", 1)
    with pytest.raises(MlflowException, match="Changing param values is not allowed"):
        store.client.log_param(run, "depth", 2)
    store.client.delete_run(run)
    with pytest.raises(StoreError, match="must be in the 'active' state"):
        store.client.log_metric(run, "score", 1)
    with pytest.raises(TypeError):
        store.client.log_metric(run, "score", 1, no_such_option=True)


def test_artifacts_that_cannot_be_written_are_a_refusal(store: Store, folder: Path) -> None:
    run = store.client.create_run(store.experiment("cells")).info.run_id
    (folder / "artifacts").write_text("a file, where a folder is needed")
    with pytest.raises(StoreError, match=r"refused: \[Errno 20\] Not a directory"):
        store.client.log_text(run, "words", "words.txt")


def test_a_server_that_is_gone_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    client = Guarded(MlflowClient("http://127.0.0.1:9"), Address("http://127.0.0.1:9"))
    with pytest.raises(StoreError, match=r"The MLflow store http://127\.0\.0\.1:9 refused: .*Connection refused"):
        client.get_run("0" * 32)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError("SELECT 1", None, ConnectionError("ada:s3/c@ret was refused")), r".*\*\*\* was refused\."),
        (TimeoutError(), r"TimeoutError\."),
        (ModuleNotFoundError("No module named 'boto3'"), "No module named 'boto3'"),
    ],
)
def test_the_network_and_drivers_refuse_without_telling_passwords(error: Exception, words: str) -> None:
    with pytest.raises(StoreError, match=NAMED + words) as caught, asking(ADDRESS):
        raise error
    assert caught.value.__cause__ is error


def test_what_sqlite_refused_stays_what_was_told() -> None:
    told = StoreError("The database is locked.")
    with pytest.raises(StoreError, match=r"^The database is locked\.$"), asking(ADDRESS):
        raise MlflowException(str(told)) from told


def test_a_defect_inside_a_store_stays_one() -> None:
    with pytest.raises(MlflowException), asking(ADDRESS):
        raise MlflowException("unsupported operand") from TypeError("unsupported operand")
