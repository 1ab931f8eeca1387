"""Train one cell: search it, refit the winner, and leave both in MLflow and in a folder.

One process owns a study. The lock of the study is outermost: whatever a second process could spoil lies inside it. Then
come the runs, the search, the winner's parameters, the refit, the files, and the ends of the runs. A process that is
killed at any point leaves what the same command resumes.
"""

from pathlib import Path

from frostline.compute.engine import open_workers
from frostline.config.schema import Config
from frostline.runtime.devices import distribute
from frostline.search.flights import run_study
from frostline.search.logbook import log_study
from frostline.search.objective import Objective
from frostline.search.outcome import Outcome
from frostline.search.plan import CellInputs, StudyPlan
from frostline.search.study import open_study
from frostline.search.trials import finished_trials
from frostline.tracking.runs import Tracker
from frostline.tracking.studies import StudyRuns

__all__ = ["train_cell"]


def train_cell(inputs: CellInputs, config: Config, folder: Path) -> None:
    """Search the cell, or go on with a search that was interrupted, and write the model of its winner to `folder`.

    Raises SearchError if another process has the study, or if none of its trials is complete.
    """
    import keras

    keras.utils.set_random_seed(config.seed)
    distribute()
    plan = StudyPlan.make(inputs, config)
    tracker = Tracker.open(config.stores, inputs.dataset)
    with (
        open_study(config.stores.studies, plan.study_name) as study,
        StudyRuns.open(tracker, inputs.name, plan.identity, plan.tags) as runs,
    ):
        plan.announce()
        with open_workers(config.compute, plan.trainer) as workers:
            plan.fill_cache(workers, len(finished_trials(study)))
            objective = Objective(plan.trainer, plan.schedule, runs, config.seed)
            run_study(study, objective, plan.schedule, workers, config.seed)
        outcome = Outcome.of(study, plan)
        runs.log_winner(outcome.params)
        refitted = outcome.refit()
        record = refitted.record(runs.parent.id, runs.experiment_id)
        refitted.write(folder, record)
        log_study(runs.parent, outcome, record)
