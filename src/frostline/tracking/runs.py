"""Runs in MLflow, addressed by id.

MLflow's fluent API (`mlflow.start_run`, `mlflow.log_metric`) is not used: it keeps an active run per process and takes
MLFLOW_RUN_ID from the environment, so that a stage could write into another stage's run.
"""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from frostline.config.schema import StoresConfig
from frostline.errors import FrostlineError
from frostline.stores.refusals import or_none
from frostline.tracking.keys import PARAM_LENGTH, SCHEMA_LENGTH, TAG_LENGTH, stored
from frostline.tracking.lineage import user
from frostline.tracking.store import Store

__all__ = ["PROCESS", "Run", "Tracker", "this_process"]

PROCESS = "frostline.process"
"""The tag that says which process of which machine has the run."""

_TABLES = "mlflow.loggedArtifacts"


@dataclass(frozen=True)
class Run:
    """One MLflow run. Everything given to it is written at once."""

    id: str
    client: Any

    def read(self) -> Any:
        """What MLflow has of the run, as its own entity."""
        return self.client.get_run(self.id)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters. MLflow keeps a parameter's first value for good and raises on another."""
        values = {key: stored(str(value), PARAM_LENGTH) for key, value in params.items()}
        self.client.log_batch(self.id, params=[Param(key, value) for key, value in values.items()])

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics, at `step` or at 0."""
        self.client.log_batch(self.id, metrics=_metrics(metrics, step or 0))

    def log_history(self, history: Sequence[Mapping[str, float]]) -> None:
        """Log one set of metrics per epoch; the first is step 1. A history that was logged before is left as it is."""
        if not history or set(history[0]) <= set(self.read().data.metrics):
            return
        metrics = [metric for step, row in enumerate(history, start=1) for metric in _metrics(row, step)]
        self.client.log_batch(self.id, metrics=metrics)

    def describe(self, text: str) -> None:
        """Set the description that MLflow's UI shows with the run, in Markdown."""
        self.set_tags({"mlflow.note.content": text})

    def log_file(self, path: Path, folder: str = "") -> None:
        """Copy a file among the artifacts, into `folder`."""
        self.client.log_artifact(self.id, str(path), folder or None)

    def log_text(self, text: str, name: str) -> None:
        """Write `text` among the artifacts, as the file `name`."""
        self.client.log_text(self.id, text, name)

    def log_table(self, frame: pd.DataFrame, name: str) -> None:
        """Log `<name>.json` in the layout that MLflow shows as a sortable table; an earlier one is replaced.

        `MlflowClient.log_table` appends instead, which would list the trials of a resumed study twice.
        """
        file = f"{name}.json"
        self.client.log_text(self.id, frame.to_json(orient="split", index=False), file)
        tables = json.loads(self.read().data.tags.get(_TABLES, "[]"))
        if all(table["path"] != file for table in tables):
            self.set_tags({_TABLES: json.dumps([*tables, {"path": file, "type": "table"}])})

    def log_figure(self, figure: Any, name: str) -> None:
        """Log a matplotlib figure as the image file `name`."""
        self.client.log_figure(self.id, figure, name, save_kwargs={"dpi": figure.dpi})

    def log_input(self, frame: pd.DataFrame, name: str, source: str, digest: str, context: str) -> None:
        """Log a data set as an input: its columns, number of rows, where it is from, and its content's digest.

        `context` says what it was used for, such as training or test. MLflow cuts digests at 36 characters, and refuses
        a list of columns of more than a megabyte: then it has none.
        """
        columns = [
            {"type": str(dtype), "name": str(column), "required": True} for column, dtype in frame.dtypes.items()
        ]
        schema = json.dumps({"mlflow_colspec": columns})
        dataset = Dataset(
            name,
            digest[:36],
            source_type="local",
            source=json.dumps({"uri": source}),
            schema=schema if len(schema) <= SCHEMA_LENGTH else None,
            profile=json.dumps({"num_rows": len(frame), "num_elements": int(frame.size)}),
        )
        self.client.log_inputs(self.id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; an earlier value is replaced."""
        self.client.log_batch(self.id, tags=[RunTag(key, stored(value, TAG_LENGTH)) for key, value in tags.items()])

    def resume(self) -> None:
        """Let the run be running again."""
        self.client.update_run(self.id, status="RUNNING")

    def end(self, status: str = "FINISHED") -> None:
        """End the run: FINISHED, FAILED or KILLED."""
        self.client.set_terminated(self.id, status)

    def fail(self, error: BaseException) -> None:
        """End the run because of `error`, which the caller raises again: KILLED by an interrupt, or else FAILED."""
        with suppress(FrostlineError):  # the store may be what failed
            self.end("FAILED" if isinstance(error, Exception) else "KILLED")


@dataclass(frozen=True)
class Tracker:
    """Starts runs in one data set's experiment, `frostline-<data set>`. `uri` may hold a password."""

    client: Any
    experiment_id: str
    uri: str

    @classmethod
    def open(cls, stores: StoresConfig, dataset: str) -> "Tracker":
        """The tracker of `dataset` at MLFLOW_TRACKING_URI, or else `stores.tracking`. Raises as `Store.open` does."""
        store = Store.open(stores)
        return cls(store.client, store.experiment(f"frostline-{dataset}"), store.address.url)

    @contextmanager
    def stage_run(self, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
        """A run for the length of the block: FINISHED after it; see `Run.fail` for what the block raises."""
        self.end_those_of_the_dead()
        run = self.start(name, tags)
        try:
            yield run
        except BaseException as error:
            run.fail(error)
            raise
        run.end()

    def find_run(self, run_id: str) -> Run | None:
        """The run with this id, or None where the store has none, or it was deleted.

        Models may come from a DVC cache, without runs, and nothing can be logged on a deleted one.
        """
        found = or_none(self.client.get_run, run_id)
        return Run(run_id, self.client) if found and found.info.lifecycle_stage == "active" else None

    def start(self, name: str, tags: Mapping[str, str]) -> Run:
        """A new run of this process; the caller ends it."""
        origin = {"mlflow.user": user(), "mlflow.source.name": "frostline", "mlflow.source.type": "LOCAL"}
        origin[PROCESS] = this_process()
        known = {key: stored(value, TAG_LENGTH) for key, value in (origin | dict(tags)).items()}
        run = self.client.create_run(self.experiment_id, tags=known, run_name=name)
        return Run(run.info.run_id, self.client)

    def end_those_of_the_dead(self) -> None:
        """Set to KILLED what processes of this machine left running that are gone."""
        for run in self.client.search_runs([self.experiment_id], "attributes.status = 'RUNNING'"):
            host, _, process = run.data.tags.get(PROCESS, "").rpartition(" ")
            if host == platform.node() and not psutil.pid_exists(int(process)):
                Run(run.info.run_id, self.client).end("KILLED")

    def search(self, query: str) -> list[str]:
        """The ids of the experiment's runs that MLflow finds for `query`, the latest first."""
        return [run.info.run_id for run in self.client.search_runs([self.experiment_id], query)]


def this_process() -> str:
    """What the tag PROCESS says of this process."""
    return f"{platform.node()} {os.getpid()}"


def _metrics(values: Mapping[str, float], step: int) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(key, float(value), now, step) for key, value in values.items()]
