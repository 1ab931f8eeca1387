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

__all__ = ["Run", "Tracker"]

_STUDY = "frostline.study"
_TRIALS = "frostline.trials"
_TRIAL = "trial"
_PARENT = "mlflow.parentRunId"
_PROCESS = "frostline.process"
_TABLES = "mlflow.loggedArtifacts"


@dataclass(frozen=True)
class Run:
    """One MLflow run. Everything given to it is written at once."""

    id: str
    client: Any

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters. MLflow keeps a parameter's first value for good and raises on another."""
        values = {key: stored(str(value), PARAM_LENGTH) for key, value in params.items()}
        self.client.log_batch(self.id, params=[Param(key, value) for key, value in values.items()])

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics, at `step` or at 0."""
        self.client.log_batch(self.id, metrics=_metrics(metrics, step or 0))

    def log_history(self, history: Sequence[Mapping[str, float]]) -> None:
        """Log one set of metrics per epoch; the first is step 1. A history that was logged before is left as it is."""
        if not history or set(history[0]) <= set(self.client.get_run(self.id).data.metrics):
            return
        metrics = [metric for step, row in enumerate(history, start=1) for metric in _metrics(row, step)]
        self.client.log_batch(self.id, metrics=metrics)

    def describe(self, text: str) -> None:
        """Set the description that MLflow's UI shows with the run, in Markdown."""
        self.set_tags({"mlflow.note.content": text})

    def log_file(self, path: Path, folder: str = "") -> None:
        """Copy a file among the artifacts, into `folder`."""
        self.client.log_artifact(self.id, str(path), folder or None)

    def log_table(self, frame: pd.DataFrame, name: str) -> None:
        """Log `<name>.json` in the layout that MLflow shows as a sortable table; an earlier one is replaced.

        `MlflowClient.log_table` appends instead, which would list the trials of a resumed study twice.
        """
        file = f"{name}.json"
        self.client.log_text(self.id, frame.to_json(orient="split", index=False), file)
        tables = json.loads(self.client.get_run(self.id).data.tags.get(_TABLES, "[]"))
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
        self._end_those_of_the_dead()
        run = self._create(name, tags)
        try:
            yield run
        except BaseException as error:
            run.fail(error)
            raise
        run.end()

    def study_run(self, name: str, fingerprint: str, trials: int, tags: Mapping[str, str]) -> Run:
        """The parent run of the study with this fingerprint, running: the earlier one if it was killed or is redone.

        A study whose number of `trials` was changed gets a new parent, which takes over its trials: the winner may
        differ, and MLflow never changes a parameter that was logged. Trials that a killed process left running are set
        to KILLED, so two processes must not share a study.
        """
        self._end_those_of_the_dead()
        found = self._search(f"tags.`{_STUDY}` = '{fingerprint}'")
        same = [run for run in found if self.client.get_run(run).data.tags.get(_TRIALS) == str(trials)]
        if same:
            run, *replaced = [Run(each, self.client) for each in same]  # the latest comes first
            for each in replaced:  # killed while it replaced them
                self._replace(each, run)
            self.client.update_run(run.id, status="RUNNING")
            run.set_tags({_PROCESS: _process()} | dict(tags))
        else:
            run = self._create(name, {_STUDY: fingerprint, _TRIALS: str(trials)} | dict(tags))
        for other in set(found) - {run.id}:
            self._move_trials(other, run)
        for child in self._search(f"tags.`{_PARENT}` = '{run.id}' and attributes.status = 'RUNNING'"):
            Run(child, self.client).end("KILLED")
        return run

    def log_winner(self, parent: Run, params: Mapping[str, object], tags: Mapping[str, str]) -> Run:
        """Log the winner's `params` to a study's run, or to a new one in its place, with `tags`; and return that.

        The same study has another winner where its database was lost or it ran on other hardware, and MLflow never
        changes a parameter that was logged. The run that is replaced keeps what it has, loses its trials, and ends.
        """
        known = self.client.get_run(parent.id)
        run = parent
        if any(known.data.params.get(key, str(value)) != str(value) for key, value in params.items()):
            study = {key: known.data.tags[key] for key in (_STUDY, _TRIALS)}
            run = self._create(known.info.run_name, study | dict(tags))
            self._replace(parent, run)
        run.log_params(params)
        return run

    def trial_run(self, parent: Run, trial: int, name: str, tags: Mapping[str, str]) -> Run:
        """A child run of `parent` for the study's trial number `trial`; the caller ends it.

        What an earlier attempt at the same trial left goes to MLflow's deleted runs: a trial has one run.
        """
        for other in self._search(f"tags.`{_PARENT}` = '{parent.id}' and tags.{_TRIAL} = '{trial}'"):
            self.client.delete_run(other)
        return self._create(name, {_PARENT: parent.id, _TRIAL: str(trial)} | dict(tags))

    def find_run(self, run_id: str) -> Run | None:
        """The run with this id, or None where the store has none, or it was deleted.

        Models may come from a DVC cache, without runs, and nothing can be logged on a deleted one.
        """
        found = or_none(self.client.get_run, run_id)
        return Run(run_id, self.client) if found and found.info.lifecycle_stage == "active" else None

    def _create(self, name: str, tags: Mapping[str, str]) -> Run:
        origin = {"mlflow.user": user(), "mlflow.source.name": "frostline", "mlflow.source.type": "LOCAL"}
        origin[_PROCESS] = _process()
        known = {key: stored(value, TAG_LENGTH) for key, value in (origin | dict(tags)).items()}
        run = self.client.create_run(self.experiment_id, tags=known, run_name=name)
        return Run(run.info.run_id, self.client)

    def _end_those_of_the_dead(self) -> None:
        """Set to KILLED what processes of this machine left running that are gone."""
        for run in self.client.search_runs([self.experiment_id], "attributes.status = 'RUNNING'"):
            host, _, process = run.data.tags.get(_PROCESS, "").rpartition(" ")
            if host == platform.node() and not psutil.pid_exists(int(process)):
                Run(run.info.run_id, self.client).end("KILLED")

    def _replace(self, old: Run, new: Run) -> None:
        """Let `new` be the study's run. Repeated after a kill it does what is left to do: `old` is let go last."""
        self._move_trials(old.id, new)
        old.set_tags({"replaced_by": new.id})
        old.end()
        self.client.delete_tag(old.id, _STUDY)

    def _move_trials(self, old: str, new: Run) -> None:
        for child in self._search(f"tags.`{_PARENT}` = '{old}'"):
            Run(child, self.client).set_tags({_PARENT: new.id})

    def _search(self, query: str) -> list[str]:
        return [run.info.run_id for run in self.client.search_runs([self.experiment_id], query)]


def _process() -> str:
    return f"{platform.node()} {os.getpid()}"


def _metrics(values: Mapping[str, float], step: int) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(key, float(value), now, step) for key, value in values.items()]
