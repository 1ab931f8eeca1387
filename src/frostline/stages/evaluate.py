"""Stage `evaluate`: score a trained network on the test split, which neither training nor search has seen.

Promotion and export ask about the same images again: see docs/architecture.md.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.data.arrays import Probabilities
from frostline.data.packed import PackedImages, read_packed
from frostline.data.sources import open_source
from frostline.errors import ArtifactError, DataError
from frostline.evaluation.answered import ANSWERS
from frostline.evaluation.answers import Answers
from frostline.evaluation.assessment import against_guide, assess, familiarity_of, uncalibrated
from frostline.evaluation.examples import most_confident, predictions
from frostline.evaluation.gradcam import gradcam
from frostline.evaluation.metrics import METRICS
from frostline.files.atomic import atomic_folder
from frostline.files.outputs import output_of
from frostline.files.spreadsheet import csv_text
from frostline.plots.evaluation import confusion_figure, reliability_figure, threshold_figure
from frostline.plots.gallery import captions, gallery_figure, heat_figure
from frostline.provenance import fingerprint
from frostline.records.familiarity import Familiarity
from frostline.records.names import model_name
from frostline.records.train_record import TrainRecord
from frostline.registry.latency import pictures_per_second, seconds_per_picture
from frostline.registry.package import Candidate, open_unregistered
from frostline.runtime.progress import say
from frostline.tracking.keys import keys
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker

__all__ = ["run"]

_SHOWN = 12
_TIMED = 32
_LOOKED_AT = 4


def run(dataset: str, size: str, backbone: str) -> None:
    """Write `results/evaluation/<dataset>-<size>-<backbone>/`, and the same evidence to MLflow.

    metrics.json holds the numbers that `dvc metrics` and `dvc exp show` compare, evidence.json what is behind them:
    intervals, counts by class, calibration, slices, how fast files are labelled. predictions.csv has a row per test
    image (image, group, actual, predicted, probability_<class>, strangeness) for `dvc plots` and `frostline drift`; the
    rest are pictures. The MLflow run is tagged with the run of the study, which gets the test metrics as well.

    Raises DataError if there are no test images, ArtifactError if the network was trained on other data.
    """
    config = load_config()
    name = model_name(dataset, size, backbone)
    record = TrainRecord.read(Path("models") / name)
    packed = read_packed(Path("data/packed") / f"{dataset}-{backbone}")
    if record.fingerprints.data != packed.fingerprint:
        raise ArtifactError(
            f"models/{name} was trained on other data than data/packed/{dataset}-{backbone} holds now: run `dvc repro`."
        )
    rows = np.flatnonzero(packed.index["split"] == "test")
    if not len(rows):
        raise DataError(
            f"{dataset} has no test images: raise prepare.test_fraction, or name a test split in the source."
        )
    network = _load(Path("models") / name / "model.keras")
    test, labels = packed.index.iloc[rows], packed.labels[rows]
    answers = Answers(config, backbone, packed, rows)
    probabilities = answers.of(network, record.best.settings, f"Evaluating {name}")
    assessed = assess(test, labels, probabilities, packed.classes, record.best.temperature, config.seed)
    metrics, evidence = assessed.metrics, assessed.evidence
    metrics["validation_balanced_accuracy"] = record.validation.corrected.value
    metrics["megabytes"] = (Path("models") / name / "model.keras").stat().st_size / 1e6
    table = predictions(test, labels, probabilities, packed.classes)
    if familiarity := Familiarity.read(Path("models") / name):
        outliers = config.serving.outliers
        strangeness = answers.strangeness(network, record.best.settings, familiarity.flagging(outliers))
        table["strangeness"], evidence["familiarity"] = strangeness, familiarity_of(test, strangeness, outliers)
        metrics["unknown"] = evidence["familiarity"]["value"]
    evidence["serving"] = _serving(config, record, test)
    if (guided := _guided(record, answers, probabilities)) is not None:
        metrics["guide"] = against_guide(test, labels, probabilities, guided, config.seed)
    folder = Path("results/evaluation") / name
    tracker = Tracker.open(config.stores, dataset)
    tags = {"cell": record.cell, "size": size, "backbone": backbone, "strategy": record.best.strategy}
    with tracker.stage_run(f"evaluate {name}", lineage_tags() | tags | {"frostline.study_run": record.run_id}) as log:
        with atomic_folder(folder) as new:
            for kind, numbers in (("metrics", metrics), ("evidence", evidence)):
                (new / f"{kind}.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
            (new / ANSWERS).write_bytes(csv_text(table).encode())  # DVC reads it
            for picture, figure in _figures(network, packed, rows, probabilities, record, evidence).items():
                figure.savefig(new / picture)
        headline = {f"test_{metric}": metrics[metric] for metric in METRICS if metrics[metric] is not None}
        headline |= {f"test_guide_{name}": value for name, value in metrics.get("guide", {}).items()}
        digest = fingerprint({"images": packed.fingerprint, "rows": rows.tolist()})
        log.log_input(test, dataset, f"data/packed/{dataset}-{backbone}", digest, "test")
        log.log_params(record.best.params())
        log.log_metrics(
            headline
            | _per_class(evidence["per_class"])
            | {"score_corrected": record.validation.corrected.value, "test_images": len(rows)}
            | ({"test_unknown": metrics["unknown"]} if "unknown" in metrics else {})
            | {f"serving_{name}": value for name, value in (evidence["serving"] or {}).items()}
        )
        log.log_table(pd.DataFrame(evidence["per_class"]).T.reset_index(names="class"), "classes")
        for file in sorted(folder.iterdir()):
            log.log_file(file)
        if study := tracker.find_run(record.run_id):
            study.log_metrics(headline)
    low, high = evidence["intervals"]["balanced_accuracy"].values()
    say(
        f"{name}: balanced accuracy {metrics['balanced_accuracy']:.3f} ({low:.3f} to {high:.3f}) on {len(rows)} test "
        f"images; calibration error {metrics['calibration_error']:.3f}."
    )


def _guided(record: TrainRecord, answers: Answers, winner: Probabilities) -> Probabilities | None:
    """What the guide's network answers, where there is one: the `winner`'s answers, where that is the guide's."""
    if record.guide_model != "guide.keras":
        return winner if record.guide_model else None
    guide = _load(Path("models") / record.name / record.guide_model)
    return answers.of(guide, record.guide.settings, f"Evaluating the guide's {record.name}")


def _serving(config: Config, record: TrainRecord, test: pd.DataFrame) -> dict[str, float] | None:
    """How fast the model labels files of the test split; None where the files are not at hand."""
    root = open_source(config.dataset(record.dataset)).root
    paths = [root / image for image in test["image"].head(_TIMED)]
    if not all(path.exists() for path in paths):
        say(f"The test images of {record.dataset} are not at {root}: how fast they are labelled is not measured.")
        return None
    served = open_unregistered(Candidate(record, Path("models") / record.name, config.prepare, config.serving))
    (seconds,) = seconds_per_picture([served], paths[0])
    return {"milliseconds": 1000 * seconds, "pictures_per_second": pictures_per_second(served, paths)}


def _load(path: Path) -> Any:
    import keras

    with output_of("train", path):
        return keras.saving.load_model(path, compile=False)


def _figures(
    network: Any,
    packed: PackedImages,
    rows: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    record: TrainRecord,
    evidence: dict[str, Any],
) -> dict[str, Figure]:
    """The pictures of an evaluation by file name."""
    labels, classes = packed.labels[rows], packed.classes
    before = uncalibrated(probabilities, record.best.temperature)
    wrong, right = most_confident(labels, probabilities, right=False), most_confident(labels, probabilities, right=True)
    looked = np.concatenate([wrong[:_LOOKED_AT], right[:_LOOKED_AT]])
    named = probabilities.argmax(axis=1)
    heat = gradcam(network, packed.images[rows[looked]], named[looked])
    return {
        "confusion.png": confusion_figure(evidence["confusion_matrix"], classes),
        "thresholds.png": threshold_figure(labels, probabilities, classes),
        "reliability.png": reliability_figure(labels, before, probabilities),
        "mistakes.png": gallery_figure(
            packed.images[rows[wrong[:_SHOWN]]],
            captions(labels, probabilities, classes, wrong[:_SHOWN]),
            "Mistakes, the most certain first",
        ),
        "gradcam.png": heat_figure(
            packed.images[rows[looked]],
            heat,
            captions(labels, probabilities, classes, looked),
            named[looked] == labels[looked],
            f"Where it looked (Grad-CAM at block {record.best.settings.keep}): mistakes, then hits",
        ),
    }


def _per_class(per_class: dict[str, dict[str, float]]) -> dict[str, float]:
    """MLflow metrics `test_recall/<class>` and `test_precision/<class>`, with classes as MLflow takes them."""
    names = keys(per_class)
    return {
        f"test_{metric}/{names[name]}": values[metric]
        for name, values in per_class.items()
        for metric in ("precision", "recall")
    }
