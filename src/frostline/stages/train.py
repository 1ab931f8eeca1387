"""Stage `train`: search one cell with one backbone, refit the winner, and leave the study in MLflow."""

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd

from frostline.atomic import atomic_folder
from frostline.backbones.weights import digest
from frostline.config import Config, load_config
from frostline.data.packed import read_packed
from frostline.evaluation.figures import history_figure, trials_figure
from frostline.fingerprint import fingerprint
from frostline.progress import say
from frostline.search.estimate import estimate_study
from frostline.search.objective import Objective
from frostline.search.study import POSITION, REASON, best_trial, finished_trials, open_study, run_study, seed_at
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Run, Tracker
from frostline.training.cell import Cell, make_cell
from frostline.training.prefix import PrefixCache
from frostline.training.record import TrainRecord
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer

__all__ = ["run"]

_SETTINGS = tuple(TrialSettings.__dataclass_fields__)


def run(dataset: str, size: str, backbone: str) -> None:
    """Write `models/<dataset>-<size>-<backbone>/`: model.keras, study.json and trials.png (every trial), train.json."""
    import keras

    config = load_config()
    packed = read_packed(Path("data/packed") / f"{dataset}-{backbone}")
    keras.utils.set_random_seed(config.seed)
    cell = make_cell(packed, config.size(size), config.train, config.seed)
    cache = PrefixCache(config.stores.cache, int(config.stores.cache_gigabytes * 1e9))
    trainer = Trainer(cell, backbone, config.backbone(backbone), config.train, cache, config.seed)
    identity = _study_identity(config, cell, trainer)
    name = f"{dataset}-{size}-{backbone}"
    study_name = f"{name}-{identity[:8]}"
    say(
        f"{name}: {len(cell.all_rows)} images of {len(packed.classes)} classes, validated by {cell.scheme}; "
        f"{trainer.backbone.spec.application} in {trainer.backbone.depth} blocks, {trainer.precision}, "
        f"weights from {trainer.backbone.weights.source}."
    )
    tracker = Tracker.open(config.stores, dataset)
    tags = lineage_tags() | {
        "cell": f"{dataset}-{size}",
        "size": size,
        "backbone": backbone,
        "data_fingerprint": packed.fingerprint,
        "weights_fingerprint": trainer.backbone.weights.sha256,
        "weights_source": trainer.backbone.weights.source,
        "optuna_study": study_name,
    }
    parent = tracker.study_run(name, identity, config.search.trials, tags)
    try:
        with open_study(config.stores.studies, study_name, config.search) as study:
            if len(finished_trials(study)) < config.search.trials:
                estimate_study(trainer).report(config.search.trials)
            objective = Objective(trainer, config.search, tracker, parent, tags, config.seed, say)
            run_study(study, objective, config.search, trainer.backbone.depth, config.seed)
            best = best_trial(study, len(cell.validation_rows))
            trials = _trial_table(finished_trials(study))
        started = time.perf_counter()
        settings = TrialSettings(**{field: best.user_attrs[field] for field in _SETTINGS})
        epochs = best.user_attrs["epochs"]
        position = best.user_attrs[POSITION]
        say(f"{name}: refitting trial {position + 1} on all {len(cell.all_rows)} images for {epochs} epochs.")
        model = trainer.refit(settings, epochs, seed_at(config.seed, position))
        record = TrainRecord.model_validate(
            {
                "dataset": dataset,
                "size": size,
                "per_class": config.size(size),
                "images": len(cell.all_rows),
                "backbone": backbone,
                "image_size": packed.image_size,
                "resize": packed.resize,
                "classes": packed.classes,
                "best": {"trial": position + 1, "strategy": best.user_attrs["strategy"]}
                | vars(settings)
                | {"freeze_depth": settings.freeze_depth, "epochs": epochs},
                "validation": {"balanced_accuracy": best.value, "scheme": cell.scheme},
                "trials": {state: int((trials["state"] == state).sum()) for state in ("complete", "pruned", "failed")},
                "seconds": float(trials["seconds"].sum()) + time.perf_counter() - started,
                "run_id": parent.id,
                "experiment_id": tracker.experiment_id,
                "study_name": study_name,
                "fingerprints": {
                    "data": packed.fingerprint,
                    "weights": trainer.backbone.weights.sha256,
                    "study": identity,
                    "model": digest(model),
                },
            }
        )
        with atomic_folder(Path("models") / name) as folder:
            model.save(folder / "model.keras")
            trials_figure(trials).savefig(folder / "trials.png")
            (folder / "study.json").write_text(json.dumps(trials.to_dict("records"), indent=2, default=str))
            record.write(folder)
    except BaseException:
        parent.end("FAILED")
        raise
    parent.log_history(best.user_attrs["history"])
    parent.log_params({"max_epochs": trainer.epochs(settings.keep, settings.thaw)})
    _log_study(parent, cell, trials, record)
    parent.end()


def _study_identity(config: Config, cell: Cell, trainer: Trainer) -> str:
    """A fingerprint of all that decides a study's result but its number of trials, which may be raised later."""
    return fingerprint(
        {
            "images": cell.packed.fingerprint,
            "folds": [[part.tolist() for part in fold] for fold in cell.folds],
            "application": trainer.backbone.spec.application,
            "weights": trainer.backbone.weights.sha256,
            "train": config.train.model_dump(mode="json"),
            "precision": trainer.precision,
            "search": config.search.model_dump(mode="json", exclude={"trials"}),
            "seed": config.seed,
        }
    )


def _trial_table(trials: list[Any]) -> pd.DataFrame:
    """One row a trial: position (from 1), strategy, settings, score, best epoch, state, seconds, settings, reason."""
    rows = []
    for trial in sorted(trials, key=lambda trial: trial.user_attrs[POSITION]):
        scores = list(trial.intermediate_values.values())
        rows.append(
            {
                "position": trial.user_attrs[POSITION] + 1,
                "strategy": trial.user_attrs.get("strategy"),
                "value": trial.value if trial.value is not None else max(scores, default=float("nan")),
                "epochs": trial.user_attrs.get("epochs", len(scores)),
                "state": {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed"),
                "seconds": trial.duration.total_seconds() if trial.duration else 0.0,
                "freeze_depth": trial.user_attrs.get("freeze_depth"),
            }
            | {field: trial.user_attrs.get(field) for field in _SETTINGS}
            | {
                "reason": trial.user_attrs.get(REASON, ""),
            }
        )
    return pd.DataFrame(rows)


def _log_study(parent: Run, cell: Cell, trials: pd.DataFrame, record: TrainRecord) -> None:
    """Parameters and metrics of the winner under the names that trials use, the trial table, figures, the images."""
    best = record.best
    parent.log_input(
        cell.packed.index.iloc[cell.all_rows],
        name=f"{record.dataset}-{record.size}",
        source=f"data/packed/{record.dataset}-{record.backbone}",
        digest=fingerprint({"images": record.fingerprints.data, "rows": cell.all_rows.tolist()}),
        context="training",
    )
    parent.log_params(best.model_dump(exclude={"trial", "epochs"}))
    parent.log_metrics(
        {
            "score": record.validation.balanced_accuracy,
            "best_epoch": best.epochs,
            "seconds": record.seconds,
        }
    )
    parent.set_tags({"strategy": best.strategy, "best_trial": str(best.trial), "state": "complete"})
    parent.log_table(trials, "trials")
    parent.log_figure(trials_figure(trials), "trials.png")
    parent.log_figure(history_figure(trials), "history.png")
