"""What a study came to: the winner and the guide's best trial, and their networks, trained again on all images."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import optuna
import pandas as pd
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from frostline.backbones.weights import digest
from frostline.files.atomic import atomic_folder
from frostline.plots.study import study_figures
from frostline.records.familiarity import Familiarity
from frostline.records.train_record import (
    Best,
    Fingerprints,
    GroupResult,
    GuideTrial,
    TrainRecord,
    TrialCounts,
    ValidationScore,
    write_training_images,
)
from frostline.runtime.progress import say
from frostline.search.flights import seed_of
from frostline.search.groups import group_results
from frostline.search.plan import StudyPlan
from frostline.search.selection import Selection
from frostline.search.trials import (
    CORRECT,
    NUMBER,
    SETTLED,
    by_image,
    finished_trials,
    importances,
    score_of,
    settings_of,
    trial_table,
)
from frostline.statistics.interval import Interval
from frostline.statistics.temperature import soften

__all__ = ["Outcome", "Refitted"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """A finished study: its winner, the best of the guide's trials, the trial table, pictures.

    `score` is the winner's in validation, corrected for its having been chosen; `figures` are by file name.
    """

    plan: StudyPlan
    winner: FrozenTrial
    guide: FrozenTrial | None
    score: Interval
    trials: pd.DataFrame
    groups: tuple[GroupResult, ...]
    figures: Mapping[str, Figure]

    @classmethod
    def of(cls, study: optuna.Study, plan: StudyPlan) -> Self:
        """The outcome of `study`. Raises SearchError, with the reasons, if no trial is complete."""
        seed, packed, rows = plan.config.seed, plan.inputs.packed, plan.cell.validation_rows
        groups = packed.index["group"].to_numpy(dtype=str)[rows]
        selection = Selection.of(study, packed.labels[rows], groups, plan.inputs.profile.strategies)
        test_labels = packed.labels[(packed.index["split"] == "test").to_numpy()]
        score = selection.corrected_score(seed, test_labels)
        winner, trials = selection.winner, trial_table(finished_trials(study))
        groups_found = group_results(finished_trials(study), plan.trainer)
        figures = study_figures(trials, importances(study, seed), winner.user_attrs["history"], groups_found)
        return cls(plan, winner, selection.guide, score, trials, groups_found, figures)

    @property
    def best(self) -> Best:
        """The winner as the record of the training has it."""
        return Best(
            trial=self.winner.user_attrs[NUMBER],
            strategy=self.winner.user_attrs["strategy"],
            settings=settings_of(self.winner),
            epochs=self.winner.user_attrs["epochs"],
            temperature=self.winner.user_attrs["temperature"],
        )

    @property
    def params(self) -> dict[str, object]:
        """The winner's parameters, under the names that runs of trials use."""
        return self.best.params()

    @property
    def scheme(self) -> str:
        """How trials were validated, in words, and the winner, if the budget left it fewer folds."""
        cell, images = self.plan.cell, len(by_image(self.winner, CORRECT))
        judging = cell.folds_of(images)
        fewer = f"; the winner by {judging} of {len(cell.folds)} folds" if judging < len(cell.folds) else ""
        return f"{cell.scheme}{fewer}"

    @property
    def guide_trial(self) -> GuideTrial:
        """What the guide recommended, as the record of the training has it."""
        profile, trial = self.plan.inputs.profile, self.guide
        return GuideTrial(
            regime=profile.regime,
            recommended=profile.strategies,
            strategy=trial.user_attrs["strategy"] if trial else None,
            trial=trial.user_attrs[NUMBER] if trial else None,
            complete=trial is not None and trial.state == TrialState.COMPLETE and trial.user_attrs.get(SETTLED, True),
            validation=score_of(trial) if trial else None,
            settings=settings_of(trial) if trial else None,
        )

    def refit(self) -> "Refitted":
        """The networks of the winner and, where that is another trial, of the guide's best."""
        started = time.perf_counter()
        name = self.plan.inputs.name
        model = _refit(self.plan, self.winner, f"{name}: the winner")
        other = self.guide if self.guide and self.guide.number != self.winner.number else None
        guide_model = _refit(self.plan, other, f"{name}: the guide's best") if other else None
        familiarity = self._familiarity(model)
        return Refitted(self, model, guide_model, familiarity, time.perf_counter() - started)

    def _familiarity(self, model: Any) -> Familiarity | None:
        familiar = self.plan.trainer.familiar(model, self.best.settings)
        return Familiarity(*familiar) if familiar else None


@dataclass(frozen=True, eq=False)
class Refitted:
    """The Keras networks of an outcome, from raw images to probabilities, and the seconds that they took to train.

    `guide_model`, what following the guide would have given, is None where no trial of the guide's was trained, or
    where it is the winner. `familiarity` says what images are familiar to the winner, where that could be told.
    """

    outcome: Outcome
    model: Any
    guide_model: Any | None
    familiarity: Familiarity | None
    seconds: float

    def record(self, run_id: str, experiment_id: str) -> TrainRecord:
        """What the stages after `train` need to know, with the MLflow run that holds the study."""
        outcome, plan = self.outcome, self.outcome.plan
        inputs, packed = plan.inputs, plan.inputs.packed
        states = list(outcome.trials["state"])
        return TrainRecord(
            dataset=inputs.dataset,
            size=inputs.size,
            per_class=inputs.per_class,
            images=len(plan.cell.all_rows),
            backbone=inputs.backbone,
            image_size=packed.image_size,
            resize=packed.resize,
            classes=packed.classes,
            levels=packed.levels,
            best=outcome.best,
            guide=outcome.guide_trial,
            validation=ValidationScore(
                balanced_accuracy=outcome.winner.values[0], corrected=outcome.score, scheme=outcome.scheme
            ),
            trials=TrialCounts(**{state: states.count(state) for state in TrialCounts.model_fields}),
            groups=outcome.groups,
            seconds=float(outcome.trials["seconds"].sum()) + self.seconds,
            run_id=run_id,
            experiment_id=experiment_id,
            study_name=plan.study_name,
            fingerprints=Fingerprints(
                data=packed.fingerprint,
                weights=plan.trainer.backbone.weights.sha256,
                study=plan.identity,
                model=digest(self.model),
            ),
        )

    def write(self, place: Path, record: TrainRecord) -> None:
        """Write the folder `place` as a whole: networks, pictures, study.json (every trial), train.json.

        training_images.txt lists the pictures that the networks were trained on, familiar.npz says what is like them.
        """
        cell = self.outcome.plan.cell
        with atomic_folder(place) as folder:
            self.model.save(folder / "model.keras")
            if self.guide_model:
                self.guide_model.save(folder / "guide.keras")
            if self.familiarity:
                self.familiarity.write(folder)
            write_training_images(folder, cell.packed.index["sha256"].iloc[cell.all_rows])
            for picture, figure in self.outcome.figures.items():
                figure.savefig(folder / picture)
            rows = self.outcome.trials.to_dict("records")
            (folder / "study.json").write_text(json.dumps(rows, indent=2, default=str))
            record.write(folder)


def _refit(plan: StudyPlan, trial: FrozenTrial, what: str) -> Any:
    """The network of one trial, trained on all images of the cell for the epochs that served it best.

    Its probabilities are calibrated on the images that validated the trial.
    """
    settings, epochs, number = settings_of(trial), trial.user_attrs["epochs"], trial.user_attrs[NUMBER]
    trained = f"; epochs: {epochs}" if settings.thaw else ""
    say(f"{what}, trial {number}, is refitted on all {len(plan.cell.all_rows)} images{trained}.")
    network = plan.trainer.refit(settings, epochs, seed_of(plan.config.seed, number))
    soften(network, trial.user_attrs["temperature"])
    return network
