"""Stage `register`: the best model of a data set becomes its challenger in the model registry.

It runs every time: DVC restores files, but not the registry, which is compared with what the files say.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from frostline.backbones.weights import digest
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.errors import ArtifactError, RegistryError
from frostline.evaluation.answered import ANSWERS
from frostline.files.atomic import atomic_file
from frostline.files.outputs import output_of
from frostline.records.familiarity import Familiarity
from frostline.records.names import model_name
from frostline.records.train_record import TRAINING_IMAGES, TrainRecord, best_of_largest, of_largest
from frostline.registry.models import RegisteredVersion, find_challenger, name_of, register_challenger
from frostline.registry.package import CARD, Candidate
from frostline.report.card import card_of
from frostline.report.results import read_result
from frostline.runtime.progress import say
from frostline.stores.addresses import lock_folder
from frostline.stores.alone import alone
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker

__all__ = ["run"]

_SECONDS = 600


def run(dataset: str) -> None:
    """Register the best model of `dataset` and write `results/registered/<dataset>.json`.

    It is the best of the largest cell's among the models of params.yaml that have been evaluated.

    Nothing is logged if the challenger is that model already. Raises RegistryError if there is no such model.
    """
    config = load_config()
    config.dataset(dataset)
    records = _evaluated(config, dataset)
    if not records:
        raise RegistryError(
            f"No model of the data set '{dataset}' has been trained and evaluated: run `dvc repro` first."
        )
    best = best_of_largest(records)
    candidates = of_largest(records)
    tracker, folder = Tracker.open(config.stores, dataset), Path("models") / best.name
    with alone(lock_folder(config.stores), name_of(dataset), _SECONDS):
        version = find_challenger(tracker, Candidate(best, folder, config.prepare, config.serving))
        known = version is not None
        if version is None:
            _check(best, folder)
            version = _register(tracker, best, candidates, config)
    _write(version, best)
    news = "is the challenger, as it was registered before" if known else "is now the challenger"
    say(f"{version.name} version {version.version} ({best.name}) {news}; next: frostline promote {dataset}")


def _check(record: TrainRecord, folder: Path) -> None:
    """Raise ArtifactError if a file of the model in `folder` is damaged, or its network is not the record's.

    A version of the wrong network would be found again by its record, and never be replaced by the right one.
    """
    import keras

    with output_of("train", folder / TRAINING_IMAGES):
        (folder / TRAINING_IMAGES).read_text(encoding="utf-8")
    path = folder / "model.keras"
    with output_of("train", path):
        network = keras.saving.load_model(path, compile=False)
    if digest(network) != record.fingerprints.model:
        raise ArtifactError(
            f"{path} is not the network that {folder / 'train.json'} describes: somebody exchanged one of the two. "
            "Restore them with `dvc checkout`, or train again: dvc repro --force train."
        )
    if familiarity := Familiarity.read(folder):
        familiarity.tap(network)


def _register(
    tracker: Tracker, best: TrainRecord, candidates: Sequence[TrainRecord], config: Config
) -> RegisteredVersion:
    """Register `best`, with a run that says what it was chosen from."""
    tags = {"cell": best.cell, "size": best.size, "backbone": best.backbone, "strategy": best.best.strategy}
    with tracker.stage_run("register", lineage_tags() | tags) as log:
        if tracker.find_run(best.run_id) is None:
            say(
                f"The run of {best.name}'s study is not in this store: the model is logged on the register run instead."
            )
            best = best.model_copy(update={"run_id": log.id})
        card = card_of(read_result(best.name), config)
        table = Path("results/evaluation") / best.name / ANSWERS
        with output_of("evaluate", table):
            table.stat()
        candidate = Candidate(best, Path("models") / best.name, config.prepare, config.serving, card, table)
        version = register_challenger(tracker, candidate)
        log.log_text(card, CARD)
        scores = {record.name: record.validation.corrected.value for record in candidates}
        log.log_table(
            pd.DataFrame({"model": scores.keys(), "validation_balanced_accuracy": scores.values()}), "candidates"
        )
        log.log_metrics({"score_corrected": best.validation.corrected.value})
        log.set_tags({"registered_model": version.name, "registered_version": version.version})
    return version


def _write(version: RegisteredVersion, best: TrainRecord) -> None:
    with atomic_file(Path("results/registered") / f"{best.dataset}.json") as path:
        summary = {
            "name": version.name,
            "version": version.version,
            "challenger": best.name,
            "strategy": best.best.strategy,
            "freeze_depth": best.best.settings.freeze_depth,
            "validation_balanced_accuracy": best.validation.corrected.value,
            "model_fingerprint": best.fingerprints.model,
        }
        path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def _evaluated(config: Config, dataset: str) -> list[TrainRecord]:
    names = [model_name(dataset, size, backbone) for size in config.sizes for backbone in config.backbones]
    return [
        TrainRecord.read(Path("models") / name)
        for name in names
        if (Path("models") / name / "train.json").exists()
        and (Path("results/evaluation") / name / "metrics.json").exists()
    ]
