"""Write a trained network as an MLflow model folder that serves pictures and loads without frostline installed."""

import logging
import zipfile
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow.pyfunc
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from PIL import Image

import frostline
from frostline.config.schema import PrepareConfig
from frostline.config.serving import ServingConfig
from frostline.provenance import Version, backend
from frostline.records.familiarity import FAMILIAR
from frostline.records.train_record import TRAINING_IMAGES, TrainRecord, read_training_images
from frostline.runtime.logs import quieted

__all__ = ["CARD", "Candidate", "open_unregistered", "write_served_model"]

CARD = "MODEL_CARD.md"
"""The file of a version that holds its model card."""

_PACKAGE = Path(frostline.__file__).parent
_REQUIREMENTS = ("mlflow", "keras", "numpy", "pandas", "pillow", "scipy", "tifffile", "imagecodecs")


@dataclass(frozen=True)
class Candidate:
    """What becomes a version: the network in `folder`, as the stage `train` leaves it, with its record and model card.

    `limits` are the sizes of pictures that were accepted as training data, `serving` says which pictures it calls
    unknown. `answers` is the table of its answers to the test images. An empty card is none, and so is no table.
    """

    record: TrainRecord
    folder: Path
    limits: PrepareConfig
    serving: ServingConfig = field(default_factory=ServingConfig)
    card: str = ""
    answers: Path | None = None

    @property
    def model_config(self) -> dict[str, Any]:
        """What the version is served by."""
        record, familiar = self.record, self.folder / FAMILIAR
        config = {
            "classes": list(record.classes),
            "image_size": record.image_size,
            "resize": record.resize,
            "views": record.best.views,
            "min_side": self.limits.min_side,
            "max_pixels": self.limits.max_pixels,
            "levels": record.levels.as_dict(),
        }
        if familiar.exists():
            config |= {"outliers": self.serving.outliers, "familiar": sha256(familiar.read_bytes()).hexdigest()}
        return config

    @property
    def identity(self) -> str:
        """SHA-256 of all that decides what the network answers when it is served, and of the list of its training
        images, which decides what it may be judged by.
        """
        return Version(
            network=self.record.fingerprints.model,
            serving=self.model_config,
            training_images=sorted(read_training_images(self.folder)),
        ).fingerprint


def _further(network: Path) -> tuple[str, ...]:
    """What the layers of a network need to be loaded, beside Keras: KerasHub has some of its own."""
    if not zipfile.is_zipfile(network):  # no network of Keras: loading it says so
        return ()
    with zipfile.ZipFile(network) as archive:
        return ("keras-hub",) if b'"keras_hub' in archive.read("config.json") else ()


@quieted("mlflow.pyfunc", level=logging.WARNING)  # how it checks a model is no news
def write_served_model(path: Path, model: Model, candidate: Candidate) -> None:
    """Write the network of `candidate`, the code that serves it and what it needs into the empty `path`.

    The list of training images goes with it, so that nobody judges it by what it was trained on, what is familiar to
    it, its answers to test images, and its card. `model` names the run and the logged model that the folder is of.
    """
    folder = candidate.folder
    files = {"network": folder / "model.keras", "training_images": folder / TRAINING_IMAGES}
    if (folder / FAMILIAR).exists():
        files["familiar"] = folder / FAMILIAR
    if candidate.answers:
        files["answers"] = candidate.answers
    mlflow.pyfunc.save_model(
        path,
        mlflow_model=model,
        python_model=_PACKAGE / "registry" / "served.py",
        artifacts={name: str(file) for name, file in files.items()},
        code_paths=[str(_PACKAGE)],
        model_config=candidate.model_config,
        signature=_signature(candidate),
        input_example=_example(max(candidate.record.image_size, candidate.limits.min_side)),
        pip_requirements=[
            f"{name}=={version(name)}" for name in (*_REQUIREMENTS, backend(), *_further(files["network"]))
        ],
    )
    if candidate.card:
        (path / CARD).write_text(candidate.card, encoding="utf-8")


def open_unregistered(candidate: Candidate) -> Any:
    """The model that serves the network of `candidate` before it is registered: to be asked like a registered one."""
    from frostline.registry.served import ServedClassifier

    served = ServedClassifier()
    network = str(candidate.folder / "model.keras")
    served.load_context(SimpleNamespace(artifacts={"network": network}, model_config=candidate.model_config))
    return served


def _signature(candidate: Candidate) -> Any:
    known = [ColSpec("boolean", "known"), ColSpec("double", "strangeness")]
    return ModelSignature(
        inputs=Schema([ColSpec("binary", "image")]),
        outputs=Schema(
            [
                ColSpec("string", "label"),
                ColSpec("double", "probability"),
                *(known if "outliers" in candidate.model_config else []),
                ColSpec("string", "error"),
                *(ColSpec("double", f"probability_{name}") for name in candidate.record.classes),
            ]
        ),
    )


def _example(side: int) -> pd.DataFrame:
    file = BytesIO()
    Image.new("RGB", (side, side), "grey").save(file, "PNG")
    return pd.DataFrame({"image": [file.getvalue()]})
