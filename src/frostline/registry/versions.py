"""Versions of a registered model, each with the logged model and the files behind it: made, found again, checked.

Tags of a version hold its identity, which is all that it serves, and the digest of its files as they were logged.
Whatever a killed process left is used or deleted by the next one, so that nothing is registered twice.
"""

import hashlib
import json
import logging
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Protocol

import mlflow.artifacts
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from frostline.errors import VersionError
from frostline.files.writing import writing
from frostline.records.train_record import TrainRecord
from frostline.registry.description import described
from frostline.registry.package import Candidate, write_served_model
from frostline.runtime.logs import quieted
from frostline.stores.addresses import Address
from frostline.stores.refusals import asking

__all__ = ["Tracking", "announce", "create_version", "damage", "fetch", "find_version"]

_IDENTITY = "frostline.identity"
_FILES = "frostline.files"
_LOGGED = "frostline.logged_model"
_VERSIONS = "mlflow.modelVersions"


class Tracking(Protocol):
    """What the registry needs of `frostline.tracking.runs.Tracker`: MLflow's client and a data set's experiment."""

    @property
    def client(self) -> Any:
        """MLflow's client."""

    @property
    def experiment_id(self) -> str:
        """The data set's experiment."""


def find_version(client: Any, name: str, identity: str) -> Any | None:
    """The newest version of `name` that is `identity` and whose files are whole."""
    found = client.search_model_versions(f"name = '{name}' and tags.`{_IDENTITY}` = '{identity}'")
    newest = sorted(found, key=lambda version: int(version.version), reverse=True)
    return next((version for version in newest if not damage(client, version)), None)


@quieted("mlflow.store.model_registry", level=logging.WARNING)  # that a server takes a moment is no news
def create_version(tracker: Tracking, name: str, candidate: Candidate) -> Any:
    """A new version of `name` for `candidate`, on the run `record.run_id`."""
    client, record, identity = tracker.client, candidate.record, candidate.identity
    tags = _tags(record) | {_IDENTITY: identity}
    logged = _waiting(tracker, identity) or _log(tracker, tags, candidate)
    outputs = client.get_run(record.run_id).outputs
    if all(output.model_id != logged.model_id for output in (outputs.model_outputs if outputs else [])):
        client.log_outputs(record.run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return client.create_model_version(
        name,
        logged.artifact_location,
        record.run_id,
        tags | {_FILES: logged.tags[_FILES], _LOGGED: logged.model_id},
        description=described(candidate),
        model_id=logged.model_id,
    )


def announce(client: Any, version: Any) -> None:
    """Let the logged model behind `version` name it, as MLflow's UI shows."""
    listed = [{"name": version.name, "version": version.version}]
    client.set_logged_model_tags(version.tags[_LOGGED], {_VERSIONS: json.dumps(listed)})


def fetch(client: Any, version: Any) -> Path:
    """A folder with the files of `version`, which are as they were registered.

    Raises VersionError if they are not, StoreError if they cannot be fetched.
    """
    source = client.get_model_version_download_uri(version.name, version.version)
    folder, reason = _local(source), damage(client, version)
    if folder is None and not reason:
        with asking(Address(source)):
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=source, tracking_uri=client.tracking_uri))
        reason = _wrong_files(version, folder)
    if folder is None or reason:
        raise VersionError(
            f"{version.name} version {version.version} cannot be loaded: {reason}. Restore its files, or register the "
            "model again with `dvc repro` and `frostline promote` it."
        )
    return folder


def damage(client: Any, version: Any) -> str:
    """What is wrong with the files of `version`, as far as can be told without fetching them; empty if nothing."""
    source = client.get_model_version_download_uri(version.name, version.version)
    if folder := _local(source):
        return _wrong_files(version, folder)
    with asking(Address(source)):
        try:
            listed = mlflow.artifacts.list_artifacts(artifact_uri=source, tracking_uri=client.tracking_uri)
        except MlflowException as error:
            return str(error).partition("\n")[0]
    return "" if listed else f"there are no files in {source}"


def _wrong_files(version: Any, folder: Path) -> str:
    """How the files of `version` in `folder` differ from those that were registered; empty if they do not."""
    if not folder.is_dir():
        return f"its folder {folder} is gone"
    if _FILES not in version.tags:
        return "it carries no digest of its files, as versions of this frostline do"
    try:
        whole = version.tags[_FILES] == _digest(folder)
    except OSError as error:
        return f"the files in {folder} cannot be read: {error.strerror}"
    return "" if whole else f"the files in {folder} are not those that were registered"


def _local(address: str) -> Path | None:
    """The folder of artifacts on this machine; None if they are elsewhere."""
    return Path(local_file_uri_to_path(address)) if is_local_uri(address) else None


def _waiting(tracker: Tracking, identity: str) -> Any | None:
    """A logged model that a killed process finished, but made no version of. What it did not finish is deleted."""
    models = tracker.client.search_logged_models([tracker.experiment_id], f"tags.`{_IDENTITY}` = '{identity}'")
    waiting = None
    for model in models:
        folder = _local(model.artifact_location)
        if model.status != "READY":
            tracker.client.delete_logged_model(model.model_id)
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
        elif _VERSIONS not in model.tags and not (folder and _wrong_files(model, folder)):
            waiting = model
    return waiting


def _log(tracker: Tracking, tags: dict[str, str], candidate: Candidate) -> Any:
    client, record = tracker.client, candidate.record
    run_id = record.run_id
    chosen = record.best.params() | record.best.model_dump(exclude={"settings"})
    params = {key: str(value) for key, value in chosen.items()}
    logged = client.create_logged_model(tracker.experiment_id, record.name, run_id, tags, params)
    try:
        with writing(Path(gettempdir(), record.name)), TemporaryDirectory() as temporary:
            model = Model(logged.artifact_location, run_id, model_uuid=logged.model_id, model_id=logged.model_id)
            write_served_model(Path(temporary), model, candidate)
            client.log_model_artifacts(logged.model_id, temporary)
            client.set_logged_model_tags(logged.model_id, {_FILES: _digest(Path(temporary))})
    except BaseException:
        client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    return client.finalize_logged_model(logged.model_id, "READY")


def _digest(folder: Path) -> str:
    """SHA-256 over names and contents of the files in `folder`, but for byte code, which Python adds on loading.

    A link to another folder, from which Python would import, counts by its name.
    """
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file() or file.is_symlink()):
        name = file.relative_to(folder)
        if "__pycache__" not in name.parts:
            content = file.read_bytes() if file.is_file() else b""
            digest.update(f"{name.as_posix()}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def _tags(record: TrainRecord) -> dict[str, str]:
    prints = record.fingerprints
    return {
        "cell": record.cell,
        "backbone": record.backbone,
        "strategy": record.best.strategy,
        "freeze_depth": str(record.best.settings.freeze_depth),
        "blocks": ",".join(map(str, record.best.settings.blocks)),
        "test_views": record.best.settings.test_views,
        "validation_balanced_accuracy": f"{record.validation.corrected.value:.4f}",
        "data_fingerprint": prints.data,
        "weights_fingerprint": prints.weights,
        "study_fingerprint": prints.study,
        "model_fingerprint": prints.model,
    }
