"""The objective on a real cell: what Optuna is told, when trials end early, what MLflow keeps."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig, StoresConfig
from frostline.search.estimate import estimate_study
from frostline.search.objective import Objective
from frostline.search.space import guide_settings
from frostline.search.study import open_study, run_study
from frostline.search.trials import trial_table
from frostline.tracking.runs import Tracker
from frostline.tracking.studies import StudyRuns
from frostline.training.cell import make_cell
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

COMMITTED = load_config(Path(__file__).parents[2] / "params.yaml")
SEARCH = COMMITTED.search.model_copy(update={"trials": 2, "startup_trials": 1, "views": ("identity",)})


@pytest.fixture
def search(packed_cells, tmp_path, capsys):
    """`search(folds_up_to, first, epochs)`: trials of the settings `first` over 60 cells at 32 pixels."""

    def run(folds_up_to, first, epochs=6):
        train = COMMITTED.train.model_copy(
            update={"epochs": epochs, "budget": 1e9, "head_epochs": 1, "folds": 3, "folds_up_to": folds_up_to}
        )
        cell = make_cell(packed_cells(32, 60), 30, train, seed=20)
        cache = PrefixCache(tmp_path / "cache", 10**9)
        trainer = Trainer(Setup(cell, "vgg16", BackboneConfig(image_size=32), train, cache, seed=20))
        estimate = estimate_study(trainer, SEARCH, first, cache.folder.path, cache.limit_bytes)
        trainer.setup.fill(SEARCH.views, estimate.cuts)
        stores = StoresConfig(
            tracking=f"sqlite:///{tmp_path}/mlflow.db",
            studies=f"sqlite:///{tmp_path}/optuna.db",
            cache=tmp_path,
            cache_gigabytes=1,
        )
        tracker = Tracker.open(stores, "cells")
        capsys.readouterr()
        with (
            open_study(stores.studies, "study", SEARCH, len(cell.folds)) as study,
            StudyRuns.open(tracker, "s", "f", 3, {}) as runs,
        ):
            run_study(study, Objective(trainer, SEARCH, runs, 20), SEARCH, first, 20)
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Trial ")]
        runs = tracker.client.search_runs([tracker.experiment_id])
        return study, said, [each for each in runs if each.data.tags.get("mlflow.parentRunId")]

    return run


# The classes are dark and light cells, which the first block shows; the other rate wrecks a pretrained network.
GOOD = guide_settings("start_of_convnet", SEARCH, 5).model_copy(update={"keep": 1})
HOPELESS = guide_settings("fine_tune", SEARCH, 5).model_copy(update={"backbone_learning_rate": 1e-3})


def test_folds_are_compared_image_by_image_and_a_hopeless_trial_ends_after_one(search):
    study, said, runs = search(200, [GOOD, HOPELESS])
    good, bad = study.trials[:2]
    assert (good.state, bad.state) == (TrialState.COMPLETE, TrialState.PRUNED)
    assert isinstance(study.pruner, optuna.pruners.WilcoxonPruner)
    assert list(good.intermediate_values) == list(range(60))
    assert list(bad.intermediate_values) == list(range(20))
    assert all(0 <= value <= 1 for value in good.intermediate_values.values())
    assert "pruned" in said[1]
    assert "worse than the best trial on 20 of 60 images (Wilcoxon)" in said[1]
    assert {frozenset(run.data.metrics) for run in runs if run.data.tags["state"] != "failed"} == {
        frozenset(runs[0].data.metrics)
    }
    table = trial_table(study.trials)
    assert table["value"].between(0, 1).all()
    assert table["state"].tolist()[:2] == ["complete", "pruned"]
    best = good.user_attrs["history"][good.user_attrs["epochs"] - 1]
    assert table["standard_error"][0] == good.user_attrs["standard_error"] == best["validation_standard_error"]


def test_a_hold_out_is_compared_epoch_by_epoch(search):
    study, said, _ = search(0, [GOOD, HOPELESS])
    good, bad = study.trials[:2]
    assert isinstance(study.pruner, optuna.pruners.MedianPruner)
    assert list(good.intermediate_values)[:3] == [1, 2, 3]
    assert bad.state == TrialState.PRUNED
    assert list(bad.intermediate_values) == [1, 2]
    assert "below the median at epoch 2" in said[1]
    assert len(bad.user_attrs["history"]) == 2


def test_a_trial_is_not_pruned_at_its_last_epoch(search):
    """Two epochs: the same trial as above would be pruned at the second, which is its last."""
    study, _, _ = search(0, [GOOD, HOPELESS], epochs=2)
    assert [trial.state for trial in study.trials[:2]] == [TrialState.COMPLETE, TrialState.COMPLETE]
    assert study.trials[1].value < study.trials[0].value
