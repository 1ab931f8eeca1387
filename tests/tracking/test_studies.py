"""The runs of a study in a real MLflow store: resumed, replaced."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from frostline.config.schema import StoresConfig
from frostline.tracking.runs import Run, Tracker
from frostline.tracking.studies import StudyRuns


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    store = f"sqlite:///{tmp_path_factory.mktemp('mlruns')}/mlflow.db"
    return Tracker.open(StoresConfig(tracking=store, studies="", cache=Path("unused"), cache_gigabytes=1), "cells")


def study(tracker: Tracker, identity: str, **tags: str) -> AbstractContextManager[StudyRuns]:
    return StudyRuns.open(tracker, "cells-small", identity, tags)


class Killed(BaseException):
    pass


def test_a_killed_study_resumes_in_its_parent_run(tracker):
    opened = study(tracker, "killed", git_commit="old")
    runs = opened.__enter__()
    done = runs.start_trial(1, "retrain")
    done.end()
    interrupted = runs.start_trial(2, "fine_tune")

    with study(tracker, "killed", git_commit="new") as resumed:
        assert resumed.parent == runs.parent
        assert resumed.parent.read().info.status == "RUNNING"
        assert resumed.parent.read().data.tags["git_commit"] == "new"
        assert interrupted.read().info.status == "KILLED"
        assert done.read().info.status == "FINISHED"
        assert done.read().data.tags["mlflow.parentRunId"] == runs.parent.id
    assert resumed.parent.read().info.status == "FINISHED"
    with study(tracker, "another") as other:
        assert other.parent != runs.parent


@pytest.mark.parametrize(("error", "status"), [(Killed, "KILLED"), (ZeroDivisionError, "FAILED")])
def test_a_study_ends_as_its_block_does(tracker, error, status):
    with pytest.raises(error), study(tracker, status) as runs:
        raise error
    assert runs.parent.read().info.status == status


def test_a_trial_has_the_tags_of_its_study_and_is_named_by_number_and_strategy(tracker):
    with study(tracker, "tags", regime="small-similar") as runs:
        run = runs.start_trial(7, "retrain").read()
    assert run.info.run_name == "07 retrain"
    assert {name: run.data.tags[name] for name in ("trial", "strategy", "regime")} == {
        "trial": "7",
        "strategy": "retrain",
        "regime": "small-similar",
    }


def test_a_trial_that_is_run_again_has_one_run(tracker):
    with study(tracker, "again") as runs:
        for _ in range(2):
            runs.start_trial(1, "retrain").end()
        kept, other = runs.start_trial(1, "retrain"), runs.start_trial(11, "retrain")
    children = tracker.search(f"tags.`mlflow.parentRunId` = '{runs.parent.id}'")
    assert set(children) == {kept.id, other.id}


def test_a_study_with_another_winner_gets_a_new_parent_and_the_old_one_keeps_its_own(tracker):
    with study(tracker, "another winner", regime="small-similar") as runs:
        first = runs.parent
        trial = runs.start_trial(1, "retrain")
        trial.end()
        runs.log_winner({"keep": 4})
        assert runs.parent == first
        first.set_tags({"state": "complete"})
    with study(tracker, "another winner", regime="small-similar") as again:
        again.log_winner({"keep": 4, "freeze_depth": 4})
        assert again.parent == first
        again.log_winner({"keep": 5, "freeze_depth": 4})
        other = again.parent
        assert other.read().info.status == "RUNNING"
    old, new = first.read(), other.read()
    assert (old.data.params, old.info.status) == ({"keep": "4", "freeze_depth": "4"}, "FINISHED")
    assert old.data.tags["replaced_by"] == other.id
    assert (new.data.params, new.info.status) == ({"keep": "5", "freeze_depth": "4"}, "FINISHED")
    assert (new.info.run_name, new.data.tags["regime"]) == ("cells-small", "small-similar")
    assert "state" not in new.data.tags
    assert trial.read().data.tags["mlflow.parentRunId"] == other.id
    with study(tracker, "another winner") as latest:
        assert latest.parent == other


def test_a_replacement_that_was_killed_is_finished_by_the_next_command(tracker, monkeypatch):
    with study(tracker, "half replaced") as runs:
        first = runs.parent
        trial = runs.start_trial(1, "retrain")
        trial.end()
        runs.log_winner({"keep": 4})
    with monkeypatch.context() as patch:
        patch.setattr(Run, "end", _killed)
        with pytest.raises(Killed), study(tracker, "half replaced") as runs:
            runs.log_winner({"keep": 5})
    with study(tracker, "half replaced") as again:
        assert again.parent != first
        other = again.parent
        again.log_winner({"keep": 5})
        assert again.parent == other
    old = first.read()
    assert (old.info.status, old.data.tags["replaced_by"]) == ("FINISHED", other.id)
    assert "frostline.study" not in old.data.tags
    assert trial.read().data.tags["mlflow.parentRunId"] == other.id


def _killed(*_):
    raise Killed
