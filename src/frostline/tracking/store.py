"""Open the MLflow store and a data set's experiment in it."""

import logging
from dataclasses import dataclass
from threading import Timer
from typing import Any

from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from frostline.config.schema import StoresConfig
from frostline.errors import StoreError
from frostline.runtime.logs import quieted
from frostline.runtime.progress import say
from frostline.stores.addresses import Address, tracking_address
from frostline.stores.refusals import Guarded
from frostline.stores.sqlite import check, wait_aloud
from frostline.text.redaction import redacted
from frostline.tracking.home import artifacts_of, bring_home

__all__ = ["Store"]

_SECONDS_OF_SILENCE = 5  # MLflow asks a server that does not answer eight times, for minutes


@dataclass(frozen=True)
class Store:
    """An MLflow store: its client, which raises StoreError, its address, and where it keeps artifacts.

    Where `artifacts` is None the server decides.
    """

    client: Any
    address: Address
    artifacts: str | None

    @classmethod
    @quieted("mlflow.store.db.utils", level=logging.WARNING)  # that tables are made is no news
    def open(cls, stores: StoresConfig) -> "Store":
        """The store at MLFLOW_TRACKING_URI if that is set, else at `stores.tracking`; an SQLite file is created.

        An SQLite file that was moved or copied with its artifacts is at home where it lies now, from then on.
        Raises StoreError if it cannot be opened, ConfigError if the address is none.
        """
        address = tracking_address(stores)
        artifacts = artifacts_of(address.file) if address.file else None
        waiting = Timer(_SECONDS_OF_SILENCE, say, [f"Waiting for the MLflow store {address.shown} to answer."])
        waiting.daemon = True
        try:
            if address.file and artifacts:
                is_new = not address.file.exists()
                if is_new:
                    say(f"Creating the MLflow store {address.file}.")
                    address.file.parent.mkdir(parents=True, exist_ok=True)
                wait_aloud()
                check(address.file)  # MLflow tries ten times to open what cannot be opened
                if is_new:
                    # Left to its client, MLflow would put the artifacts of its own experiment into the working folder.
                    SqlAlchemyStore(address.url, artifacts)
            client = MlflowClient(tracking_uri=address.url)
            waiting.start()
            client.search_experiments(max_results=1)  # a server is not asked anything before
        except StoreError:
            raise
        except Exception as error:  # of drivers, of the network, of the file system: each store has its own
            reason = redacted(str(error).strip().partition("\n")[0].rstrip("."), address.url)
            raise StoreError(
                f"The MLflow store {address.shown} cannot be opened: {reason}. "
                "Set stores.tracking in params.yaml, or MLFLOW_TRACKING_URI, to a store such as "
                "sqlite:///mlruns/mlflow.db or https://mlflow.example.org.",
                address=address.url,
            ) from error
        finally:
            waiting.cancel()
        if address.file:
            bring_home(address.file)
        return cls(Guarded(client, address), address, artifacts)

    def experiment(self, name: str) -> str:
        """The id of the experiment called `name`; created if absent, restored if it was deleted."""
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            location = f"{self.artifacts}/{name}" if self.artifacts else None
            try:
                return str(self.client.create_experiment(name, artifact_location=location))
            except StoreError as error:
                if error.code != "RESOURCE_ALREADY_EXISTS":
                    raise
                experiment = self.client.get_experiment_by_name(name)
        elif experiment.lifecycle_stage == "deleted":
            say(f"Restoring the deleted MLflow experiment {name}.")
            self.client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)
