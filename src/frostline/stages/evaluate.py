"""Stage `evaluate`: score a trained network on the test split, which neither training nor search has seen."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.atomic import atomic_folder
from frostline.data.packed import PackedImages, read_packed
from frostline.errors import DataError, SearchError
from frostline.evaluation.figures import confusion_figure
from frostline.evaluation.intervals import paired_difference
from frostline.evaluation.metrics import balanced_accuracy, score
from frostline.fingerprint import fingerprint
from frostline.params import load_config
from frostline.progress import say, track
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker
from frostline.training.record import TrainRecord

__all__ = ["run"]

_BATCH = 32
_NOT_IN_NAMES = r"[^\w. -]"
_HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")


def run(dataset: str, size: str, backbone: str) -> None:
    """Write `results/evaluation/<dataset>-<size>-<backbone>/`, and the same evidence to MLflow.

    metrics.json holds numbers for `dvc metrics`; predictions.csv has a row per test image (image, actual, predicted,
    probability_<class>) for `dvc plots`; confusion.png counts them. The MLflow run is tagged with the run
    of the study, which gets the test metrics as well.

    Raises DataError if there are no test images, SearchError if the network was trained on other data.
    """
    config = load_config()
    name = f"{dataset}-{size}-{backbone}"
    record = TrainRecord.read(Path("models") / name)
    packed = read_packed(Path("data/packed") / f"{dataset}-{backbone}")
    if record.fingerprints.data != packed.fingerprint:
        raise SearchError(
            f"models/{name} was trained on other data than data/packed/{dataset}-{backbone} holds now: run `dvc repro`."
        )
    rows = np.flatnonzero(packed.index["split"] == "test")
    if not len(rows):
        raise DataError(
            f"{dataset} has no test images: raise prepare.test_fraction, or name a test split in the source."
        )
    probabilities = _predict(Path("models") / name / "model.keras", packed.images, rows, f"Evaluating {name}")
    metrics = score(packed.labels[rows], probabilities, packed.classes)
    metrics["validation_balanced_accuracy"] = record.validation.balanced_accuracy
    if record.guide_model:
        path = Path("models") / name / record.guide_model
        same = record.guide_model == "model.keras"
        guided = probabilities if same else _predict(path, packed.images, rows, f"Evaluating the guide's {name}")
        metrics["guide"] = _against_guide(packed.labels[rows], probabilities, guided, config.seed)
    folder = Path("results/evaluation") / name
    tracker = Tracker.open(config.stores, dataset)
    tags = {"cell": record.cell, "size": size, "backbone": backbone, "strategy": record.best.strategy}
    with tracker.stage_run(f"evaluate {name}", lineage_tags() | tags | {"frostline.study_run": record.run_id}) as log:
        with atomic_folder(folder) as new:
            (new / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
            _predictions(packed, rows, probabilities).to_csv(new / "predictions.csv", index=False)
            confusion_figure(metrics["confusion_matrix"], packed.classes).savefig(new / "confusion.png")
        headline = {f"test_{metric}": metrics[metric] for metric in _HEADLINE}
        headline |= {f"test_guide_{name}": value for name, value in metrics.get("guide", {}).items()}
        test = packed.index.iloc[rows]
        digest = fingerprint({"images": packed.fingerprint, "rows": rows.tolist()})
        log.log_input(test, dataset, f"data/packed/{dataset}-{backbone}", digest, "test")
        log.log_params(record.best.model_dump(exclude={"trial", "epochs"}))
        log.log_metrics(
            headline
            | _per_class(metrics["per_class"])
            | {"score": record.validation.balanced_accuracy, "test_images": len(rows)}
        )
        log.log_table(pd.DataFrame(metrics["per_class"]).T.reset_index(names="class"), "classes")
        for file in ("metrics.json", "predictions.csv", "confusion.png"):
            log.log_file(folder / file)
        if study := tracker.find_run(record.run_id):
            study.log_metrics(headline)
    say(f"{name}: balanced accuracy {metrics['balanced_accuracy']:.3f} on {len(rows)} test images.")


def _predict(path: Path, images: NDArray[np.uint8], rows: NDArray[np.int64], what: str) -> NDArray[np.float32]:
    """Class probabilities [len(rows), K] of the network at `path` for `images[rows]`."""
    import keras

    network = keras.saving.load_model(path, compile=False)
    batches = np.array_split(rows, range(_BATCH, len(rows), _BATCH))
    outputs = [
        np.asarray(network.predict_on_batch(images[batch]), dtype=np.float32)
        for batch in track(batches, f"{what}, by batches", len(batches))
    ]
    return np.concatenate(outputs)


def _against_guide(
    labels: NDArray[np.int64], found: NDArray[np.float32], guided: NDArray[np.float32], seed: int
) -> dict[str, float]:
    """The guide's balanced accuracy, and how much more (or less) the search found, with its 95% interval."""
    difference = paired_difference(labels, found.argmax(axis=1), guided.argmax(axis=1), seed)
    return {
        "balanced_accuracy": balanced_accuracy(labels, guided),
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
    }


def _predictions(packed: PackedImages, rows: NDArray[np.int64], probabilities: NDArray[np.float32]) -> pd.DataFrame:
    classes = np.array(packed.classes)
    frame = pd.DataFrame(
        {
            "image": packed.index["image"].to_numpy()[rows],
            "actual": classes[packed.labels[rows]],
            "predicted": classes[probabilities.argmax(axis=1)],
        }
    )
    columns = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in packed.classes])
    return pd.concat([frame, columns], axis=1)


def _per_class(per_class: dict[str, dict[str, float]]) -> dict[str, float]:
    """MLflow metrics `test_recall/<class>` and `test_precision/<class>`; names may hold few punctuation marks."""
    return {
        f"test_{metric}/{re.sub(_NOT_IN_NAMES, '_', name)}": values[metric]
        for name, values in per_class.items()
        for metric in ("precision", "recall")
    }
