"""Stage `train`: search one cell with one backbone, refit the winner, and leave the study in MLflow."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial

from frostline.backbones.weights import digest
from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import Config, SearchConfig
from frostline.data.packed import read_packed
from frostline.files.atomic import atomic_folder
from frostline.plots.study import study_figures
from frostline.provenance import fingerprint
from frostline.records.profile import CellProfile, Profile
from frostline.records.train_record import (
    Best,
    Fingerprints,
    GuideTrial,
    TrainRecord,
    TrialCounts,
    ValidationScore,
    write_training_images,
)
from frostline.runtime.devices import distribute
from frostline.runtime.progress import say
from frostline.search.estimate import estimate_study
from frostline.search.objective import Objective
from frostline.search.space import first_strategies, guide_settings
from frostline.search.study import POSITION, best_trial, finished_trials, open_study, run_study, seed_at
from frostline.search.trials import best_of_first, importances, settings_of, trial_table
from frostline.statistics.temperature import soften
from frostline.stores.addresses import cache_folder
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Run, Tracker
from frostline.training.cell import Cell, make_cell
from frostline.training.memo import Memo
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

__all__ = ["run"]


def run(dataset: str, size: str, backbone: str) -> None:
    """Write `models/<dataset>-<size>-<backbone>/`: model.keras, study.json (every trial), train.json, pictures.

    training_images.txt lists the pictures that it was trained on. guide.keras, what following the guide would have
    given, is beside them unless the winner is the guide's own trial.
    """
    import keras

    config = load_config()
    per_class = config.size(size)
    packed = read_packed(Path("data/packed") / f"{dataset}-{backbone}")
    profile = Profile.read(Path("results/profile") / f"{dataset}-{backbone}.json").cell(size)
    keras.utils.set_random_seed(config.seed)
    cell = make_cell(packed, per_class, config.train, config.seed)
    cache = PrefixCache(cache_folder(config.stores), int(config.stores.cache_gigabytes * 1e9))
    distribute()
    setup = Setup(cell, backbone, config.backbone(backbone), config.train, cache, config.seed)
    trainer = Trainer(setup, Memo(setup, cache.folder, cache.limit_bytes))
    strategies = first_strategies(config.search, profile.order)
    first = [guide_settings(strategy, config.search, trainer.backbone.depth, profile.cut) for strategy in strategies]
    identity = _study_identity(config, cell, trainer, first)
    name = f"{dataset}-{size}-{backbone}"
    study_name = f"{name}-{identity[:8]}"
    say(
        f"{name}: {len(cell.all_rows)} images of {len(packed.classes)} classes, validated by {cell.scheme}; "
        f"{trainer.backbone.spec.application} in {trainer.backbone.depth} blocks, {trainer.setup.precision}, "
        f"weights from {trainer.backbone.weights.source}."
    )
    say(f"{name}: the regime is {profile.regime}. {profile.reason}")
    tags = lineage_tags() | {
        "cell": f"{dataset}-{size}",
        "size": size,
        "backbone": backbone,
        "data_fingerprint": packed.fingerprint,
        "weights_fingerprint": trainer.backbone.weights.sha256,
        "weights_source": trainer.backbone.weights.source,
        "optuna_study": study_name,
        "regime": profile.regime,
        "recommendation": " or ".join(profile.strategies),
    }
    # The lock of the study comes before whatever a second process could spoil: runs, trials, files.
    with open_study(config.stores.studies, study_name, config.search, len(cell.folds)) as study:
        tracker = Tracker.open(config.stores, dataset)
        parent = tracker.study_run(name, identity, config.search.trials, tags)
        try:
            _fill_cache(trainer, config.search, first, cache, len(finished_trials(study)))
            objective = Objective(trainer, config.search, tracker, parent, tags, config.seed, say)
            run_study(study, objective, config.search, first, config.seed)
            guide = best_of_first(finished_trials(study), strategies, profile.strategies)
            best = best_trial(study, guide)
            trials = trial_table(finished_trials(study))
            figures = study_figures(trials, importances(study, config.seed), best.user_attrs["history"])
            parent = tracker.log_winner(parent, _winner_params(_best(best), trainer), tags)
            started = time.perf_counter()
            model = _refit(trainer, best, config.seed, f"{name}: the winner")
            guide_model = (
                _refit(trainer, guide, config.seed, f"{name}: the guide's best")
                if guide and guide.number != best.number
                else None
            )
            record = TrainRecord(
                dataset=dataset,
                size=size,
                per_class=per_class,
                images=len(cell.all_rows),
                backbone=backbone,
                image_size=packed.image_size,
                resize=packed.resize,
                classes=packed.classes,
                levels=packed.levels,
                best=_best(best),
                guide=_guide_trial(profile, guide),
                validation=ValidationScore(balanced_accuracy=best.values[0], scheme=cell.scheme),
                trials=TrialCounts(**{each: list(trials["state"]).count(each) for each in TrialCounts.model_fields}),
                seconds=float(trials["seconds"].sum()) + time.perf_counter() - started,
                run_id=parent.id,
                experiment_id=tracker.experiment_id,
                study_name=study_name,
                fingerprints=Fingerprints(
                    data=packed.fingerprint,
                    weights=trainer.backbone.weights.sha256,
                    study=identity,
                    model=digest(model),
                ),
            )
            with atomic_folder(Path("models") / name) as folder:
                model.save(folder / "model.keras")
                if guide_model:
                    guide_model.save(folder / "guide.keras")
                write_training_images(folder, cell.packed.index["sha256"].iloc[cell.all_rows])
                for picture, figure in figures.items():
                    figure.savefig(folder / picture)
                (folder / "study.json").write_text(json.dumps(trials.to_dict("records"), indent=2, default=str))
                record.write(folder)
            parent.log_history(best.user_attrs["history"])
            _log_study(parent, cell, trials, record, figures)
        except BaseException as error:
            parent.fail(error)
            raise
        parent.end()


def _fill_cache(
    trainer: Trainer, search: SearchConfig, first: Sequence[TrialSettings], cache: PrefixCache, finished: int
) -> None:
    """Say what the study will cost, and compute in one pass the activations that it, or the refit alone, will read."""
    estimate = estimate_study(trainer, search, first, cache.folder.path, cache.limit_bytes)
    if finished < search.trials:
        estimate.report(search.trials)
    trainer.setup.fill(search.views, estimate.cuts)


def _refit(trainer: Trainer, trial: FrozenTrial, seed: int, what: str) -> Any:
    """The network of one trial, trained again on all images of the cell for the epochs that served it best.

    Its probabilities are calibrated on the images that validated the trial.
    """
    epochs, position = trial.user_attrs["epochs"], trial.user_attrs[POSITION]
    say(f"{what}, trial {position + 1}, is refitted on all {len(trainer.cell.all_rows)} images; epochs: {epochs}.")
    network = trainer.refit(settings_of(trial), epochs, seed_at(seed, position))
    soften(network, trial.user_attrs["temperature"])
    return network


def _best(trial: FrozenTrial) -> Best:
    settings = settings_of(trial)
    return Best(
        trial=trial.user_attrs[POSITION] + 1,
        strategy=trial.user_attrs["strategy"],
        freeze_depth=settings.freeze_depth,
        epochs=trial.user_attrs["epochs"],
        temperature=trial.user_attrs["temperature"],
        **asdict(settings),
    )


def _winner_params(best: Best, trainer: Trainer) -> dict[str, object]:
    """The parent's parameters, under the names that trials use."""
    return best.params() | {"max_epochs": trainer.epochs(best.keep, best.thaw)}


def _guide_trial(profile: CellProfile, trial: FrozenTrial | None) -> GuideTrial:
    return GuideTrial(
        regime=profile.regime,
        recommended=profile.strategies,
        strategy=trial.user_attrs["strategy"] if trial else None,
        trial=trial.user_attrs[POSITION] + 1 if trial else None,
        validation=trial.value if trial else None,
    )


def _study_identity(config: Config, cell: Cell, trainer: Trainer, first: Sequence[TrialSettings]) -> str:
    """A fingerprint of all that decides a study's result but its number of trials, which may be raised later."""
    return fingerprint(
        {
            "images": cell.packed.fingerprint,
            "folds": [[part.tolist() for part in fold] for fold in cell.folds],
            "application": trainer.backbone.spec.application,
            "weights": trainer.backbone.weights.sha256,
            "train": config.train.model_dump(mode="json", exclude={"resident_gigabytes"}),
            "precision": trainer.setup.precision,
            "search": config.search.model_dump(mode="json", exclude={"trials"}),
            "first": [asdict(settings) for settings in first],
            # Trials of earlier versions lack these, and cannot be taken over.
            "measured": ["temperature", "standard error by class and group"],
            "seed": config.seed,
        }
    )


def _log_study(
    parent: Run, cell: Cell, trials: pd.DataFrame, record: TrainRecord, figures: Mapping[str, Figure]
) -> None:
    """Metrics of the winner under the names that trials use, the trial table, figures, the images, a description."""
    best = record.best
    parent.log_input(
        cell.packed.index.iloc[cell.all_rows],
        name=f"{record.dataset}-{record.size}",
        source=f"data/packed/{record.dataset}-{record.backbone}",
        digest=fingerprint({"images": record.fingerprints.data, "rows": cell.all_rows.tolist()}),
        context="training",
    )
    parent.log_metrics(
        {"score": record.validation.balanced_accuracy, "best_epoch": best.epochs, "seconds": record.seconds}
    )
    parent.set_tags({"strategy": best.strategy, "best_trial": str(best.trial), "state": "complete"})
    parent.log_table(trials, "trials")
    for picture, figure in figures.items():
        parent.log_figure(figure, picture)
    parent.describe(
        f"{record.cell}, {record.backbone}: the regime is **{record.guide.regime}**, for which the guide recommends "
        f"{' or '.join(record.guide.recommended)}. Trial {best.trial} won with **{best.strategy}**: keep {best.keep}, "
        f"freeze {best.freeze_depth}.\n\nTo see freeze depth against score, select the runs under this one, press "
        "*Compare*, and choose the parameter `freeze_depth` and the metric `score` under *Parallel coordinates*; or "
        "look at `trials.png` among the artifacts."
    )
