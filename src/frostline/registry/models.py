"""Registered models: `frostline-<data set>`, whose aliases say which version is what.

`challenger` is the newest best model, `champion` the one that serves, `previous` the champion before it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import mlflow.artifacts
import mlflow.pyfunc
import pandas as pd
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from frostline.config import PrepareConfig
from frostline.data.images import read_bytes
from frostline.errors import ImageError, RegistryError
from frostline.registry.package import write_served_model
from frostline.training.record import TrainRecord, read_training_images
from frostline.words import encodable

__all__ = [
    "LoadedVersion",
    "RegisteredVersion",
    "load_champion",
    "load_version",
    "predict",
    "register_challenger",
    "registered",
]

_PREFIX = "frostline-"
_MODEL = "frostline.model"


class Tracking(Protocol):
    """What the registry needs of `frostline.tracking.runs.Tracker`: MLflow's client and a data set's experiment."""

    @property
    def client(self) -> Any: ...

    @property
    def experiment_id(self) -> str: ...


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model; `created` is False where it was there before."""

    name: str
    version: str
    created: bool


@dataclass(frozen=True, eq=False)
class LoadedVersion:
    """A version of a registered model as an MLflow pyfunc model, and the folder that it was loaded from."""

    name: str
    number: str
    model: Any
    folder: Path

    @property
    def trained_on(self) -> frozenset[str]:
        """The SHA-256 of the files that it was trained on; none where it does not say."""
        return read_training_images(self.folder / "artifacts")

    @property
    def network(self) -> Path:
        """Its Keras network."""
        return self.folder / "artifacts" / "model.keras"

    @property
    def model_config(self) -> dict[str, Any]:
        """Classes, image_size, resize, min_side and max_pixels."""
        return dict(self.model.model_config)


def register_challenger(
    tracker: Tracking, record: TrainRecord, folder: Path, limits: PrepareConfig
) -> RegisteredVersion:
    """Make the model in `folder`, as the stage `train` leaves it, the challenger of its data set.

    It becomes a new version, logged on the run `record.run_id`, unless one with the same weights is there already.
    """
    client, name = tracker.client, f"{_PREFIX}{record.dataset}"
    if name not in _aliases(client):
        client.create_registered_model(name, description=f"Classifies images like those of {record.dataset}.")
    same = client.search_model_versions(f"name = '{name}' and tags.`{_MODEL}` = '{record.fingerprints.model}'")
    version = str((same[0] if same else _create_version(tracker, name, record, folder, limits)).version)
    client.set_registered_model_alias(name, "challenger", version)
    return RegisteredVersion(name, version, created=not same)


def load_champion(tracker: Tracking, dataset: str) -> LoadedVersion:
    """The champion of `dataset`. Raises RegistryError if there is none."""
    name, aliases = registered(tracker.client, dataset)
    if "champion" not in aliases:
        raise RegistryError(f"{name} has no champion yet: run `frostline promote {dataset}` first.")
    return load_version(tracker, name, aliases["champion"])


def load_version(tracker: Tracking, name: str, number: str) -> LoadedVersion:
    """A version of the registered model called `name`. Raises RegistryError if its files are not what they were."""
    try:
        source = tracker.client.get_model_version_download_uri(name, number)
        local = mlflow.artifacts.download_artifacts(artifact_uri=source, tracking_uri=tracker.client.tracking_uri)
        return LoadedVersion(name, number, mlflow.pyfunc.load_model(local), Path(local))
    except (MlflowException, OSError, ValueError) as error:  # ValueError: Keras, of a damaged network
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise RegistryError(
            f"{name} version {number} cannot be loaded: {reason}. Restore its files, or register the model again with "
            "`dvc repro`."
        ) from error


def predict(model: Any, paths: Sequence[Path]) -> pd.DataFrame:
    """A row per file of `paths`: the column `image` (the path), then those of `ServedClassifier.predict`.

    A file that cannot be used has a reason in `error`, an empty label and no probabilities. All files are read at once:
    give a few dozen at a time.
    """
    contents = [_content(path) for path in paths]
    answer: pd.DataFrame = model.predict(pd.DataFrame({"image": [data for data, _ in contents]}))
    answer["error"] = [error or seen for (_, error), seen in zip(contents, answer["error"], strict=True)]
    answer.insert(0, "image", [encodable(str(path)) for path in paths])
    return answer


def _content(path: Path) -> tuple[bytes, str]:
    try:
        return read_bytes(path), ""
    except ImageError as error:
        return b"", str(error)


def _create_version(tracker: Tracking, name: str, record: TrainRecord, folder: Path, limits: PrepareConfig) -> Any:
    client = tracker.client
    run_id, tags = record.run_id, _tags(record)
    params = {key: str(value) for key, value in record.best.model_dump().items()}
    logged = client.create_logged_model(tracker.experiment_id, record.name, run_id, tags, params)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    try:
        with TemporaryDirectory() as temporary:
            model = Model(logged.artifact_location, run_id, model_uuid=logged.model_id, model_id=logged.model_id)
            write_served_model(Path(temporary), model, record, folder, limits)
            client.log_model_artifacts(logged.model_id, temporary)
    except BaseException:
        client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    client.finalize_logged_model(logged.model_id, "READY")
    best = record.best
    version = client.create_model_version(
        name,
        logged.artifact_location,
        run_id,
        tags,
        description=(
            f"{record.backbone} for {record.cell}: {best.strategy}, keep {best.keep}, freeze {best.freeze_depth}; "
            f"balanced accuracy {record.validation.balanced_accuracy:.3f} in validation ({record.validation.scheme})."
        ),
        model_id=logged.model_id,
    )
    listed = [{"name": name, "version": version.version}]
    client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": json.dumps(listed)})
    return version


def _tags(record: TrainRecord) -> dict[str, str]:
    prints = record.fingerprints
    return {
        "cell": record.cell,
        "backbone": record.backbone,
        "strategy": record.best.strategy,
        "freeze_depth": str(record.best.freeze_depth),
        "validation_balanced_accuracy": f"{record.validation.balanced_accuracy:.4f}",
        "data_fingerprint": prints.data,
        "weights_fingerprint": prints.weights,
        "study_fingerprint": prints.study,
        _MODEL: prints.model,
    }


def registered(client: Any, dataset: str) -> tuple[str, dict[str, str]]:
    """The name of a data set's registered model, and its aliases with their versions. Raises RegistryError."""
    known = _aliases(client)
    name = f"{_PREFIX}{dataset}"
    if name not in known:
        others = ", ".join(sorted(known)) or "none"
        raise RegistryError(
            f"No model is registered for the data set '{dataset}' (registered: {others}): "
            f"run `frostline register {dataset}` first."
        )
    return name, known[name]


def _aliases(client: Any) -> dict[str, dict[str, str]]:
    """For each registered model of frostline, its aliases and the versions that they name."""
    models = client.search_registered_models(f"name LIKE '{_PREFIX}%'", max_results=1000)
    return {model.name: {alias: str(version) for alias, version in model.aliases.items()} for model in models}
