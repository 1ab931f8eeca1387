"""Open the MLflow store and a data set's experiment in it."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from frostline.config import StoresConfig
from frostline.errors import ConfigError, StoreError
from frostline.progress import say
from frostline.sqlite import check, wait_aloud

__all__ = ["Store", "or_none"]

_SQLITE = "sqlite:///"
T = TypeVar("T")

for _noisy in ("mlflow.store.db.utils", "alembic.runtime.migration"):
    logging.getLogger(_noisy).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Store:
    """An MLflow store: its client, its URI, and where it keeps artifacts (None: the server decides)."""

    client: Any
    uri: str
    artifacts: str | None

    @classmethod
    def open(cls, stores: StoresConfig) -> "Store":
        """The store at MLFLOW_TRACKING_URI if that is set, else at `stores.tracking`; an SQLite file is created.

        Raises StoreError if SQLite refuses, ConfigError if it cannot be opened otherwise.
        """
        uri = os.environ.get("MLFLOW_TRACKING_URI") or stores.tracking
        artifacts = None
        if uri.startswith(_SQLITE):
            file = Path(uri.removeprefix(_SQLITE)).absolute()
            uri, artifacts = f"{_SQLITE}{file}", (file.parent / "artifacts").as_uri()
            if not file.exists():
                say(f"Creating the MLflow store {file}.")
        try:
            if artifacts:
                file.parent.mkdir(parents=True, exist_ok=True)
                wait_aloud()
                check(file)  # MLflow tries ten times to open what cannot be opened
            client = MlflowClient(tracking_uri=uri)
            client.search_experiments(max_results=1)  # a server is not asked anything before
        except StoreError:
            raise
        except Exception as error:  # of drivers, of the network, of the file system: each store has its own
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            raise ConfigError(
                f"The MLflow store {uri} cannot be opened: {reason}. "
                "Set stores.tracking in params.yaml, or MLFLOW_TRACKING_URI, to a store such as "
                "sqlite:///mlruns/mlflow.db or https://mlflow.example.org."
            ) from error
        return cls(client, uri, artifacts)

    def experiment(self, name: str) -> str:
        """The id of the experiment called `name`; created if absent, restored if it was deleted."""
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            location = f"{self.artifacts}/{name}" if self.artifacts else None
            try:
                return str(self.client.create_experiment(name, artifact_location=location))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                experiment = self.client.get_experiment_by_name(name)
        elif experiment.lifecycle_stage == "deleted":
            say(f"Restoring the deleted MLflow experiment {name}.")
            self.client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)


def or_none(get: Callable[..., T], *arguments: str) -> T | None:
    """What `get(*arguments)` gives, or None where MLflow knows no such thing."""
    try:
        return get(*arguments)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
