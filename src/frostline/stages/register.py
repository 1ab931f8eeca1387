"""Stage `register`: the best model of a data set becomes its challenger in the model registry."""

import json
from pathlib import Path

import pandas as pd

from frostline.atomic import atomic_file
from frostline.config import Config
from frostline.errors import RegistryError
from frostline.params import load_config
from frostline.progress import say
from frostline.registry.models import register_challenger
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker
from frostline.training.record import TrainRecord

__all__ = ["run"]


def run(dataset: str) -> None:
    """Register the best model of `dataset` and write `results/registered/<dataset>.json`.

    It is chosen by validation score, never by test score, among the models of params.yaml that have been evaluated.
    Only those of the largest size compete: cells of different sizes are validated on different images, so their scores
    do not compare, and more training images are better.

    Raises RegistryError if there is no such model.
    """
    config = load_config()
    config.dataset(dataset)
    records = _evaluated(config, dataset)
    if not records:
        raise RegistryError(
            f"No model of the data set '{dataset}' has been trained and evaluated: run `dvc repro` first."
        )
    largest = max(record.per_class for record in records)
    candidates = [record for record in records if record.per_class == largest]
    best = max(candidates, key=lambda record: record.validation.balanced_accuracy)
    tracker = Tracker.open(config.stores, dataset)
    tags = {"cell": best.cell, "size": best.size, "backbone": best.backbone, "strategy": best.best.strategy}
    with tracker.stage_run("register", lineage_tags() | tags) as log:
        if tracker.find_run(best.run_id) is None:
            say(
                f"The run of {best.name}'s study is not in this store: the model is logged on the register run instead."
            )
            best = best.model_copy(update={"run_id": log.id})
        version = register_challenger(tracker, best, Path("models") / best.name, config.prepare)
        scores = {record.name: record.validation.balanced_accuracy for record in candidates}
        log.log_table(
            pd.DataFrame({"model": scores.keys(), "validation_balanced_accuracy": scores.values()}), "candidates"
        )
        log.log_metrics({"score": best.validation.balanced_accuracy})
        log.set_tags({"registered_model": version.name, "registered_version": version.version})
    with atomic_file(Path("results/registered") / f"{dataset}.json") as path:
        summary = {
            "name": version.name,
            "version": version.version,
            "challenger": best.name,
            "strategy": best.best.strategy,
            "freeze_depth": best.best.freeze_depth,
            "validation_balanced_accuracy": best.validation.balanced_accuracy,
            "model_fingerprint": best.fingerprints.model,
        }
        path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    news = "is now the challenger" if version.created else "is the challenger, as it was registered before"
    say(f"{version.name} version {version.version} ({best.name}) {news}; next: frostline promote {dataset}")


def _evaluated(config: Config, dataset: str) -> list[TrainRecord]:
    names = [f"{dataset}-{size}-{backbone}" for size in config.sizes for backbone in config.backbones]
    return [
        TrainRecord.read(Path("models") / name)
        for name in names
        if (Path("models") / name / "train.json").exists()
        and (Path("results/evaluation") / name / "metrics.json").exists()
    ]
