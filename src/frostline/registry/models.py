"""Registered models: `frostline-<data set>`, whose aliases say which version is what.

`challenger` is the newest best model, `champion` the one that serves, `previous` the champion before it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.pyfunc
import pandas as pd
from mlflow.exceptions import MlflowException

from frostline.data.images import read_bytes
from frostline.errors import ImageError, RegistryError
from frostline.evaluation.answered import ANSWERS, Answered
from frostline.records.train_record import read_training_images
from frostline.registry.network import open_network
from frostline.registry.package import Candidate
from frostline.registry.versions import Tracking, announce, create_version, fetch, find_version
from frostline.text.words import encodable

__all__ = [
    "Content",
    "LoadedVersion",
    "RegisteredVersion",
    "Tracking",
    "batches",
    "find_challenger",
    "find_champion",
    "label",
    "load_champion",
    "load_version",
    "name_of",
    "open_folder",
    "predict",
    "read",
    "register_challenger",
    "registered",
]

_PREFIX = "frostline-"
_MOST_FILES = 32  # as many as the network takes at once
_MOST_BYTES = 256_000_000


Content = tuple[bytes, str]
"""A file's bytes, and an empty string; or no bytes, and the reason."""


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
    def test_answers(self) -> Answered | None:
        """What it answered to the test images; None where it does not say. Strangeness is in it if it tells that."""
        file = self.folder / "artifacts" / ANSWERS
        if not file.exists():
            return None
        table = pd.read_csv(file, dtype={"image": str, "group": str}, keep_default_na=False)
        if "outliers" not in self.model_config:
            table = table.drop(columns="strangeness", errors="ignore")
        return Answered.of(table, tuple(self.model_config["classes"]))

    @property
    def network(self) -> Path:
        """The file of its Keras network."""
        return self.folder / "artifacts" / "model.keras"

    def open_network(self) -> Any:
        """Its Keras network, as it is asked: see registry.network."""
        return open_network(self.folder / "artifacts", self.model_config)

    @property
    def model_config(self) -> dict[str, Any]:
        """See `Candidate.model_config`."""
        return dict(self.model.model_config)

    @property
    def views(self) -> int:
        """How many views of a picture its network looks at; one where it does not say."""
        return int(self.model_config.get("views", 1))


def name_of(dataset: str) -> str:
    """The name of a data set's registered model."""
    return f"{_PREFIX}{dataset}"


def find_challenger(tracker: Tracking, candidate: Candidate) -> RegisteredVersion | None:
    """The challenger, if it is `candidate` already and its files are whole; else None. Changes nothing."""
    client, name = tracker.client, name_of(candidate.record.dataset)
    challenger = _aliases(client).get(name, {}).get("challenger")
    found = find_version(client, name, candidate.identity) if challenger else None
    return RegisteredVersion(name, challenger, created=False) if found and str(found.version) == challenger else None


def register_challenger(tracker: Tracking, candidate: Candidate) -> RegisteredVersion:
    """Make `candidate` the challenger of its data set.

    It becomes a new version, logged on the run `record.run_id` of its record with its model card in Markdown, unless
    one that serves the very same is there already and whole. May be repeated after a kill at any moment.
    """
    client, name = tracker.client, name_of(candidate.record.dataset)
    if name not in _aliases(client):
        client.create_registered_model(name, description=f"Classifies images like those of {candidate.record.dataset}.")
    found = find_version(client, name, candidate.identity)
    version = found or create_version(tracker, name, candidate)
    announce(client, version)
    client.set_registered_model_alias(name, "challenger", version.version)
    return RegisteredVersion(name, str(version.version), created=found is None)


def load_champion(tracker: Tracking, dataset: str) -> LoadedVersion:
    """The champion of `dataset`. Raises RegistryError if there is none."""
    return load_version(tracker, *find_champion(tracker, dataset))


def find_champion(tracker: Tracking, dataset: str) -> tuple[str, str]:
    """The registered model of `dataset` and the number of its champion. Raises RegistryError if there is none."""
    name, aliases = registered(tracker.client, dataset)
    if "champion" not in aliases:
        raise RegistryError(f"{name} has no champion yet: run `frostline promote {dataset}` first.")
    return name, aliases["champion"]


def load_version(tracker: Tracking, name: str, number: str) -> LoadedVersion:
    """A version of the registered model called `name`.

    Its code runs on loading. Raises VersionError if its files are not those that were registered, StoreError if they
    cannot be fetched, RegistryError if they do not load here.
    """
    return open_folder(name, number, fetch(tracker.client, tracker.client.get_model_version(name, number)))


def open_folder(name: str, number: str, folder: Path) -> LoadedVersion:
    """The version whose files are in `folder`. Raises RegistryError if they do not load here."""
    try:
        return LoadedVersion(name, number, _load(folder), folder)
    except (MlflowException, OSError, ValueError, ImportError) as error:  # ValueError: Keras, of another version
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise RegistryError(
            f"{name} version {number} cannot be loaded: {reason}. This environment must hold what the version's "
            "requirements.txt asks for."
        ) from error


def _load(folder: Path) -> Any:
    """The model in `folder`. MLflow takes a path for an address, and would read %20 in it as a space."""
    with TemporaryDirectory() as temporary:
        link = Path(temporary, "model")
        link.symlink_to(folder.parent.absolute())  # not to the folder itself: MLflow wants that inside what it opens
        return mlflow.pyfunc.load_model(str(link / folder.name if "%" in str(folder) else folder))


def predict(model: Any, paths: Sequence[Path]) -> pd.DataFrame:
    """A row per file of `paths`, as `label` gives them. All files are read at once: give one of the `batches`."""
    return label(model, paths, [read(path) for path in paths])


def label(model: Any, paths: Sequence[Path], contents: Sequence[Content]) -> pd.DataFrame:
    """A row per file: the column `image` (the path), then those of `ServedClassifier.predict`.

    A file that cannot be used has a reason in `error`, an empty label and no probabilities.
    """
    answer: pd.DataFrame = model.predict(pd.DataFrame({"image": [data for data, _ in contents]}))
    answer["error"] = [error or seen for (_, error), seen in zip(contents, answer["error"], strict=True)]
    answer.insert(0, "image", [encodable(str(path)) for path in paths])
    return answer


def read(path: Path) -> Content:
    """What the file holds, or why that cannot be told."""
    try:
        return read_bytes(path), ""
    except ImageError as error:
        return b"", str(error)


def batches(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """`paths` in order, in lists of at most 32 files and 256 MB; a file that is larger is alone in its list."""
    batch: list[Path] = []
    total = 0
    for path in paths:
        size = _size(path)
        total += size
        if batch and (len(batch) == _MOST_FILES or total > _MOST_BYTES):
            yield batch
            batch, total = [], size
        batch.append(path)
    if batch:
        yield batch


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # reading it says what is wrong
        return 0


def registered(client: Any, dataset: str) -> tuple[str, dict[str, str]]:
    """The name of a data set's registered model, and its aliases with their versions. Raises RegistryError."""
    known = _aliases(client)
    name = name_of(dataset)
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
