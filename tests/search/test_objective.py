"""The objective on a real cell: what Optuna is told, when trials end early, what MLflow keeps."""

from pathlib import Path

import numpy as np
import pytest
from made_trials import CONFIG
from optuna.trial import TrialState

from frostline.cache.prefix import PrefixCache
from frostline.compute.local import InProcess
from frostline.compute.workers import Job, Lost
from frostline.config.effort import Effort
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.search.flights import run_study
from frostline.search.groups import group_results
from frostline.search.objective import Objective
from frostline.search.schedule import Schedule
from frostline.search.study import open_study
from frostline.search.trials import (
    CERTAINTY,
    CORRECT,
    COST,
    REASON,
    SETTLED,
    STANDARD_ERROR,
    answers,
    by_image,
    finished_trials,
    settings_of,
    trial_table,
)
from frostline.statistics.judged import ALIKE, balanced_means
from frostline.tracking.runs import Tracker
from frostline.tracking.studies import StudyRuns
from frostline.training.cell import make_cell
from frostline.training.memo import Memo
from frostline.training.metrics import LOSS, SCORE, best_epoch
from frostline.training.reports import EpochReport
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

TRAIN = load_config(Path(__file__).parents[2] / "params.yaml").train
IMAGES, FOLDS = 36, 3
HEADS = 2 + 1  # and their ensemble
EPOCHS, PATIENCE = 5, 1
WRECKING = {"backbone_learning_rate": (0.1, 0.1), "head_learning_rate": (0.1, 0.1)}


@pytest.fixture(scope="module")
def search(packed_cells, tmp_path_factory, stores_in):
    """`search(images, **changes)`: two heads and four trials that thaw blocks, over 36 cells at 32 pixels."""
    folder = tmp_path_factory.mktemp("search")
    cache = PrefixCache(folder / "cache", 10**9)
    stores = stores_in(folder)
    tracker = Tracker.open(stores, "cells")
    names = iter("abcdefg")

    def run(
        images: float,
        epochs: int = EPOCHS,
        folds_up_to: int = 1000,
        thawed: int = 4,
        workers=InProcess,
        **changes: object,
    ):
        train = TRAIN.model_copy(
            update={"epochs": epochs, "patience": PATIENCE, "folds": FOLDS, "folds_up_to": folds_up_to, "repeats": 2}
        )
        cell = make_cell(packed_cells(32, IMAGES), IMAGES // 2, train, seed=20)
        setup = Setup(cell, "vgg16", BackboneConfig(image_size=32), train, cache, seed=20)
        trainer = Trainer(setup, Memo(setup, cache.folder, cache.limit_bytes))
        effort = Effort(heads=HEADS - 1, thawed=thawed, images=images)
        config = CONFIG.model_copy(update={"effort": effort, "views": ("identity",)} | changes)
        schedule, name = Schedule(config, 5, None), next(names)
        with open_study(stores.studies, name) as study, StudyRuns.open(tracker, name, name, {}) as runs:
            run_study(study, Objective(trainer, schedule, runs, 20), schedule, workers(trainer), 20)
            parent = runs.parent.id
        children = tracker.client.search_runs(
            [tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'", order_by=["attributes.start_time"]
        )
        return finished_trials(study), children, trainer, schedule

    return run


@pytest.fixture(scope="module")
def plenty(search):
    """A study that may train on as much as it likes."""
    return search(1e6)


def test_a_trial_keeps_what_it_gave_of_every_image(plenty) -> None:
    trials, _, trainer, _ = plenty
    labels = trainer.cell.packed.labels[trainer.cell.validation_rows]
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert len(complete) >= HEADS
    for trial in complete:
        correct, certainty = by_image(trial, CORRECT), by_image(trial, CERTAINTY)
        assert correct.shape == certainty.shape == (IMAGES,)
        assert trial.value == pytest.approx(np.mean([correct[labels == name].mean() for name in (0, 1)]))
        history = trial.user_attrs["history"]
        assert history[-1][LOSS] == pytest.approx(-np.log(np.maximum(certainty, 1e-7)).mean(), abs=1e-4)
        assert len(history) == max(1, trial.user_attrs["epochs"])


def test_a_trial_is_charged_for_the_images_that_it_trained_on(plenty) -> None:
    trials, _, trainer, schedule = plenty
    assert [trial.user_attrs[COST] for trial in trials[:HEADS]] == [0] * HEADS
    spent = [trial.user_attrs[COST] for trial in trials[HEADS:]]
    assert min(spent) > 0
    assert schedule.left(trials) == pytest.approx(1e6 - sum(spent))
    for trial in trials[HEADS:]:
        costs = [trainer.cost(settings_of(trial), fold) for fold in range(FOLDS)]
        best = len(trial.user_attrs["history"])
        if trial.state == TrialState.COMPLETE:  # the first fold went on for an epoch more, or to the end
            first = trial.user_attrs[COST] - best * sum(costs[1:])
            assert first / costs[0] == pytest.approx(min(best + PATIENCE, EPOCHS))


def test_with_plenty_to_spend_every_group_is_decided(plenty) -> None:
    trials, _, trainer, _ = plenty
    assert all(trial.user_attrs[SETTLED] for trial in trials[HEADS:])
    assert all(found.decided for found in group_results(trials, trainer))
    ended = {trial.state for trial in trials}
    assert ended <= {TrialState.COMPLETE, TrialState.PRUNED}


def test_mlflow_compares_runs_by_the_same_metrics(plenty) -> None:
    trials, runs, *_ = plenty
    assert [run.info.run_name[:2] for run in runs] == [f"{number:02d}" for number in range(1, len(trials) + 1)]
    heads, thawed = runs[:HEADS], runs[HEADS:]
    for alike in (heads, thawed):
        assert len({frozenset(run.data.metrics) for run in alike}) == 1
        assert len({frozenset(run.data.params) for run in alike}) == 1
    assert set(heads[0].data.metrics) < set(thawed[0].data.metrics)
    assert {run.data.params["group"] for run in thawed} == {"last block", "some blocks", "all blocks", "random weights"}
    for trial, run in zip(trials, runs, strict=True):
        assert run.data.metrics[COST] == trial.user_attrs[COST]
        assert run.data.tags["state"] == trial.state.name.lower()


@pytest.fixture(scope="module")
def little(search):
    """A study whose thawed trials are ended by their budget."""
    return search(180.0)


def test_little_to_spend_is_never_exceeded_by_more_than_an_epoch(little) -> None:
    trials, runs, trainer, schedule = little
    for place, trial in enumerate(trials[HEADS:]):
        before = trials[: HEADS + place]
        spent = trial.user_attrs[COST]
        costs = [trainer.cost(settings_of(trial), fold) for fold in range(FOLDS)]
        assert spent <= max(schedule.left(before), costs[0]) + 1e-6
        if trial.state == TrialState.PRUNED and not trial.user_attrs[SETTLED]:
            assert spent + costs[0] > schedule.left(before)
    pruned = [run for run in runs if run.data.tags["state"] == "pruned"]
    assert pruned
    assert all(
        "the budget ended it after" in run.data.tags["reason"] or "Wilcoxon" in run.data.tags["reason"]
        for run in pruned
    )
    undecided = [found for found in group_results(trials, trainer) if not found.decided]
    assert undecided
    assert all(found.minutes > 0 for found in undecided)
    values = trial_table(trials).set_index("state")["value"]
    assert values.between(0, 1).all()


def test_a_trial_that_is_ahead_when_its_budget_ends_is_judged_by_the_folds_so_far(little) -> None:
    trials, runs, trainer, _ = little
    rows = trainer.cell.validation_rows
    labels, ends = trainer.cell.packed.labels[rows], np.cumsum([len(held) for _, held in trainer.cell.folds])
    fewer = []
    for place, (trial, run) in enumerate(zip(trials, runs, strict=True)):
        if trial.state == TrialState.COMPLETE and len(by_image(trial, CORRECT)) < len(rows):
            fewer.append(trial)
            before = [each for each in trials[:place] if each.state == TrialState.COMPLETE]
            known = answers([*before, trial], len(rows))
            assert trial.value == pytest.approx(balanced_means(known, labels, np.ones((1, len(rows))), ALIKE)[0, -1])
            folds = ends.tolist().index(len(by_image(trial, CERTAINTY))) + 1
            assert f"judged by {folds} of {FOLDS} folds" in run.data.tags["reason"]
            assert ("before it had settled" in run.data.tags["reason"]) != trial.user_attrs[SETTLED]
            assert 0 < trial.user_attrs[STANDARD_ERROR] < 0.5
    assert fewer


def test_a_trial_whose_rates_wreck_the_network_ends_and_is_charged(search) -> None:
    """On a hold-out nobody is judged after a fold: it is complete, as bad as it is, or has diverged."""
    trials, *_ = search(1e6, epochs=2, thawed=3, **WRECKING)
    for trial in trials[HEADS:]:
        assert trial.state in (TrialState.PRUNED, TrialState.FAIL)
        assert (REASON in trial.user_attrs) == (trial.state == TrialState.FAIL)
        assert trial.user_attrs[COST] >= 0
    held_out, *_ = search(1e6, epochs=2, folds_up_to=0, thawed=1, **WRECKING)
    (last,) = held_out[HEADS:]
    assert last.state == TrialState.FAIL or last.value < held_out[0].value
    assert len(by_image(held_out[0], CORRECT)) < IMAGES


def test_a_pruned_trial_is_told_at_its_best_epoch(plenty) -> None:
    trials, runs, *_ = plenty
    for trial, run in zip(trials, runs, strict=True):
        if trial.state == TrialState.PRUNED:
            history = trial.user_attrs["history"]
            assert run.data.metrics["best_epoch"] == best_epoch(history)
            assert run.data.metrics["score"] == history[best_epoch(history) - 1][SCORE]


class Losing(InProcess):
    """Loses the first worker of each trial that thaws blocks, and every worker of the last one."""

    def __init__(self, trainer: Trainer) -> None:
        super().__init__(trainer)
        self._begun: list[int] = []

    def start(self, number: int, job: Job) -> None:
        self._begun.append(number)
        super().start(number, job)

    def wait(self):
        number, reply = super().wait()
        attempt = self._begun.count(number)
        if isinstance(reply, EpochReport) and (attempt == 1 or number == HEADS + 2):
            self.stop(number)
            return number, Lost(f"worker {attempt} was killed")
        return number, reply


def test_a_lost_trial_begins_anew_and_fails_when_three_workers_are_lost(search, plenty) -> None:
    trials, runs, _, schedule = search(1e6, thawed=2, workers=Losing)
    again, failed = trials[HEADS:]
    undisturbed = plenty[0][HEADS]
    assert again.user_attrs["history"] == undisturbed.user_attrs["history"]
    assert again.user_attrs[COST] == undisturbed.user_attrs[COST]  # what was lost is not paid for
    assert failed.state == TrialState.FAIL
    assert failed.user_attrs[REASON] == "it has lost 3 workers, the last because worker 3 was killed"
    assert [run.info.status for run in runs[HEADS:]] == ["FINISHED", "FAILED"]
    assert runs[-1].data.tags["reason"] == failed.user_attrs[REASON]
    assert schedule.left(trials) == 1e6 - again.user_attrs[COST]
