"""Write a trained network as an MLflow model folder that serves pictures and loads without frostline installed."""

import logging
from dataclasses import dataclass
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
from frostline.provenance import Version, backend
from frostline.records.train_record import TRAINING_IMAGES, TrainRecord, read_training_images
from frostline.runtime.logs import quieted

__all__ = ["CARD", "Candidate", "identity", "open_unregistered", "write_served_model"]

CARD = "MODEL_CARD.md"
"""The file of a version that holds its model card."""

_PACKAGE = Path(frostline.__file__).parent
_REQUIREMENTS = ("mlflow", "keras", "numpy", "pandas", "pillow", "tifffile", "imagecodecs")


@dataclass(frozen=True)
class Candidate:
    """What becomes a version: the network in `folder`, as the stage `train` leaves it, with its record and model card.

    `limits` are the sizes of pictures that were accepted as training data. An empty card is none.
    """

    record: TrainRecord
    folder: Path
    limits: PrepareConfig
    card: str = ""


def identity(record: TrainRecord, trained: Path, limits: PrepareConfig) -> str:
    """SHA-256 of all that decides what the network of the folder `trained` answers when it is served, and of the list
    of its training images, which decides what it may be judged by.
    """
    return Version(
        network=record.fingerprints.model,
        serving=_model_config(record, limits),
        training_images=sorted(read_training_images(trained)),
    ).fingerprint


@quieted("mlflow.pyfunc", level=logging.WARNING)  # how it checks a model is no news
def write_served_model(path: Path, model: Model, candidate: Candidate) -> None:
    """Write the network of `candidate`, the code that serves it and what it needs into the empty `path`.

    The list of training images goes with it, so that nobody judges it by what it was trained on, and its card. `model`
    names the run and the logged model that the folder belongs to.
    """
    record, trained, limits = candidate.record, candidate.folder, candidate.limits
    mlflow.pyfunc.save_model(
        path,
        mlflow_model=model,
        python_model=_PACKAGE / "registry" / "served.py",
        artifacts={"network": str(trained / "model.keras"), "training_images": str(trained / TRAINING_IMAGES)},
        code_paths=[str(_PACKAGE)],
        model_config=_model_config(record, limits),
        signature=_signature(record),
        input_example=_example(max(record.image_size, limits.min_side)),
        pip_requirements=[f"{name}=={version(name)}" for name in (*_REQUIREMENTS, backend())],
    )
    if candidate.card:
        (path / CARD).write_text(candidate.card, encoding="utf-8")


def open_unregistered(record: TrainRecord, network: Path, limits: PrepareConfig) -> Any:
    """The model that serves `network` (a .keras file), before it is registered: to be asked like a registered one."""
    from frostline.registry.served import ServedClassifier

    served = ServedClassifier()
    context = SimpleNamespace(artifacts={"network": str(network)}, model_config=_model_config(record, limits))
    served.load_context(context)
    return served


def _model_config(record: TrainRecord, limits: PrepareConfig) -> dict[str, Any]:
    return {
        "classes": list(record.classes),
        "image_size": record.image_size,
        "resize": record.resize,
        "views": record.best.views,
        "min_side": limits.min_side,
        "max_pixels": limits.max_pixels,
        "levels": record.levels.as_dict(),
    }


def _signature(record: TrainRecord) -> Any:
    numbers = ["probability", *(f"probability_{name}" for name in record.classes)]
    return ModelSignature(
        inputs=Schema([ColSpec("binary", "image")]),
        outputs=Schema(
            [
                ColSpec("string", "label"),
                ColSpec("double", numbers[0]),
                ColSpec("string", "error"),
                *(ColSpec("double", name) for name in numbers[1:]),
            ]
        ),
    )


def _example(side: int) -> pd.DataFrame:
    file = BytesIO()
    Image.new("RGB", (side, side), "grey").save(file, "PNG")
    return pd.DataFrame({"image": [file.getvalue()]})
