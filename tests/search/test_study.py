"""Studies on real SQLite: resumable, locked, repeatable, and honest about trials that fail."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from made_trials import CONFIG, DEPTH
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from frostline.compute.local import InProcess
from frostline.config.effort import Effort
from frostline.errors import SearchError, StoreError, WriteError
from frostline.runtime.ending import Interrupted, ended
from frostline.search.ensemble import heads_alike
from frostline.search.flights import Objective, TrialFailed, run_study
from frostline.search.schedule import Schedule
from frostline.search.study import list_studies, open_study
from frostline.search.trials import COST, NUMBER, REASON, SETTINGS, finished_before, finished_trials
from frostline.stores import sqlite
from frostline.training.metrics import BRIER

HEADS, THAWED = 4, 6
TRIALS = HEADS + 1 + THAWED
EFFORT = Effort(heads=HEADS, thawed=THAWED, images=1000)
PLAN = Schedule(CONFIG.model_copy(update={"effort": EFFORT, "startup_trials": 3}), DEPTH, cut=None)
EVERY = list(range(1, TRIALS + 1))


def _objective(trial: optuna.Trial, plan: Schedule = PLAN) -> float:
    """A score that follows from the settings; whatever thaws blocks trains on ten images."""
    number = trial.user_attrs[NUMBER]
    finished = finished_before(trial.study, number)
    heads = heads_alike(finished) if plan.is_ensemble(number) else []
    settings = heads[0] if heads else plan.suggest(trial, number, finished)
    trial.set_user_attr(SETTINGS, settings.model_dump(mode="json"))
    trial.set_user_attr(COST, 10.0 if settings.thaw else 0.0)
    score = settings.keep / 10 - settings.thaw / 20 + len(settings.blocks) / 100 + (settings.dropout or 0) / 100
    trial.set_user_attr(BRIER, 1 - score)
    return score


def _at_once(score: Callable[[optuna.Trial], float]) -> Objective:
    """Trials that need no worker."""

    def flight(trial: optuna.Trial) -> Generator[Any, Any, float]:
        yield from ()
        return score(trial)

    return flight


def _run(study: optuna.Study, score: Callable[[optuna.Trial], float], plan: Schedule = PLAN) -> None:
    run_study(study, _at_once(score), plan, InProcess(None), seed=7)


def _search(storage: str, plan: Schedule = PLAN, objective=_objective) -> list[optuna.trial.FrozenTrial]:
    with open_study(storage, "study") as study:
        _run(study, objective, plan)
        return finished_trials(study)


def _numbers(trials: list[optuna.trial.FrozenTrial]) -> list[int]:
    return [trial.user_attrs[NUMBER] for trial in trials]


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/stores/optuna.db"


def test_heads_come_first_then_each_depth_and_as_many_as_were_asked_for(storage: str) -> None:
    trials = _search(storage)
    assert _numbers(trials) == EVERY
    assert [trial.params["keep"] for trial in trials[:2]] == [5, 4]
    assert ["keep" in trial.params for trial in trials] == [True] * HEADS + [False] * (1 + THAWED)
    depths = [
        (each.params["freeze_at_most"], each.params["init_if_unfrozen"]) for each in trials[HEADS + 1 : HEADS + 5]
    ]
    assert depths[2:] == [(0, "pretrained"), (0, "random")]
    assert depths[0][0] > depths[1][0] > 0


def test_two_searches_from_scratch_propose_the_same(tmp_path: Path) -> None:
    first, second = (_search(f"sqlite:///{tmp_path}/{name}.db") for name in "ab")
    assert [trial.params for trial in first] == [trial.params for trial in second]


def test_a_finished_study_runs_nothing_more(storage: str) -> None:
    assert _search(storage) == _search(storage)


def test_a_study_ends_when_no_images_are_left(storage: str) -> None:
    short = Schedule(PLAN.config.model_copy(update={"effort": EFFORT.model_copy(update={"images": 25})}), DEPTH, None)
    assert len(_search(storage, short)) == HEADS + 1 + 3  # the third begins with five left
    assert len(_search(storage, short)) == HEADS + 1 + 3
    none = Schedule(PLAN.config.model_copy(update={"effort": EFFORT.model_copy(update={"images": 0})}), DEPTH, None)
    assert len(_search(f"{storage}.none", none)) == HEADS + 1 + 3  # all but random weights are begun in any case


def test_a_killed_search_keeps_its_trials_and_ends_as_if_never_killed(tmp_path: Path, storage: str) -> None:
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_study import _objective, _search
        def objective(trial):
            value = _objective(trial)
            if trial.number == int(sys.argv[1]):
                os.kill(os.getpid(), signal.SIGKILL)
            return value
        _search({storage!r}, objective=objective)
        """
    )
    for number in ("2", "10"):  # a head, and a trial that TPE proposed
        killed = subprocess.run([sys.executable, "-c", script, number], check=False)
        assert killed.returncode == -signal.SIGKILL
    resumed = _search(storage)
    untouched = _search(f"sqlite:///{tmp_path}/untouched.db")
    assert [trial.params for trial in resumed] == [trial.params for trial in untouched]
    assert [trial.value for trial in resumed] == [trial.value for trial in untouched]
    assert [trial.user_attrs for trial in resumed] == [trial.user_attrs for trial in untouched]
    assert PLAN.left(resumed) == PLAN.left(untouched)  # what the killed ones trained on does not count
    with open_study(storage, "study") as study:
        interrupted = [trial for trial in study.trials if trial.state == TrialState.FAIL]
        assert len(interrupted) == 2
        assert len(study.trials) == len(resumed) + 2


def test_a_trial_knows_of_none_that_has_a_higher_number(tmp_path: Path, storage: str) -> None:
    """A better head and a dear trial, which others may have finished first, change nothing."""
    untouched = _search(f"sqlite:///{tmp_path}/untouched.db")
    with open_study(storage, "study") as study:
        study.add_trials(untouched[:HEADS])
        later = optuna.create_trial(value=0.99, user_attrs=untouched[2].user_attrs | {NUMBER: TRIALS, COST: 1e6})
        study.add_trial(later)
    found = _search(storage)
    assert _numbers(found) == EVERY
    assert [trial.params for trial in found[:-1]] == [trial.params for trial in untouched[:-1]]


def test_a_trial_that_fails_keeps_its_reason_and_its_cost_and_the_study_goes_on(storage: str) -> None:
    def objective(trial: optuna.Trial) -> float:
        value = _objective(trial)
        if trial.user_attrs[NUMBER] in (2, HEADS + 2):
            raise TrialFailed("the training loss became nan")
        return value

    trials = _search(storage, objective=objective)
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    assert [trial.user_attrs[REASON] for trial in failed] == ["the training loss became nan"] * 2
    assert _numbers(trials) == EVERY
    assert PLAN.left(trials) == EFFORT.images - 10 * THAWED


def test_numbers_that_were_repeated_or_left_out_are_each_run_once(storage: str) -> None:
    ended = _search(f"{storage}.other")
    with open_study(storage, "study") as study:
        for number in (1, 2, 3, 3):
            study.add_trial(ended[number - 1])
        for number in (2, 5, 5):
            study.enqueue_trial({}, user_attrs={NUMBER: number})
    trials = _search(storage)
    assert _numbers(trials) == EVERY
    assert [trial.params for trial in trials] == [trial.params for trial in ended]


def test_a_trial_that_a_person_queued_is_run(storage: str) -> None:
    with open_study(storage, "study") as study:
        study.enqueue_trial({"keep": 2})
    first = _search(storage)[0]
    assert (first.params["keep"], first.user_attrs[NUMBER]) == (2, 1)


def test_nothing_is_warned_of(storage: str, capfd) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="sqlalchemy|alembic")
        _search(storage)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), Interrupted(2)])
def test_an_interrupted_trial_is_run_again_in_silence(storage: str, capfd, interrupt: BaseException) -> None:
    def interrupted(trial: optuna.Trial) -> float:
        if trial.user_attrs[NUMBER] == 2:
            raise interrupt
        return _objective(trial)

    with open_study(storage, "study") as study, pytest.raises(type(interrupt)):
        _run(study, interrupted)
    assert _numbers(_search(storage)) == EVERY
    assert capfd.readouterr().err == ""


def test_a_storage_that_is_locked_in_the_middle_is_one_line_and_its_trial_is_run_again(
    storage: str, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(sqlite, "_SILENT_SECONDS", 0.01)
    monkeypatch.setattr(sqlite, "_PATIENT_SECONDS", 0.5)
    file = storage.removeprefix("sqlite:///")

    def objective(trial: optuna.Trial) -> float:
        if trial.user_attrs[NUMBER] == 3:
            other.execute("BEGIN IMMEDIATE")
        return _objective(trial)

    with open_study(storage, "study") as study, closing(sqlite3.connect(file)) as other:
        with pytest.raises(SystemExit, match="1"), ended():
            _run(study, objective)
        waiting, error = capsys.readouterr().err.splitlines()
    assert waiting == f"Waiting for {file}: another program has it locked."
    assert error.startswith(f"Error: The database {file} cannot be used: another program has kept it locked")
    assert _numbers(_search(storage)) == EVERY


def test_a_failed_trial_is_not_reported_with_a_traceback(storage: str, capfd) -> None:
    def objective(trial: optuna.Trial) -> float:
        _objective(trial)
        raise TrialFailed("memory ran out")

    with open_study(storage, "study") as study:
        _run(study, objective)
    assert capfd.readouterr().err == ""


def test_an_unexpected_error_stops_the_study_and_its_trial_is_run_again(storage: str) -> None:
    def broken(trial: optuna.Trial) -> float:
        _objective(trial)
        raise RuntimeError("a bug")

    with open_study(storage, "study") as study, pytest.raises(RuntimeError, match="a bug"):
        _run(study, broken)
    trials = _search(storage)
    assert _numbers(trials) == EVERY
    assert [trial.params["keep"] for trial in trials[:2]] == [5, 4]


def test_a_second_process_is_told_that_the_study_is_being_run(storage: str) -> None:
    with (
        open_study(storage, "study"),
        pytest.raises(SearchError, match=r"Study study is being run by another process\. Wait for it to end"),
        open_study(storage, "study"),
    ):
        pass


def test_a_storage_that_cannot_be_opened_is_one_clear_error() -> None:
    with pytest.raises(StoreError, match=r"stores.studies in params.yaml\) cannot be opened"):
        list_studies("nonsense://nowhere")


def test_a_storage_that_refuses_in_the_middle_is_one_clear_error(storage: str) -> None:
    lost = OperationalError("SELECT 1", None, ConnectionError("server closed the connection"))
    with (
        pytest.raises(StoreError, match=r"The study storage sqlite:///.* refused: .*server closed"),
        open_study(storage, "study"),
    ):
        raise lost


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(WriteError, match=r"file/\.study\.lock cannot be written"),
        open_study(f"sqlite:///{tmp_path}/file/studies.db", "study"),
    ):
        pytest.fail("there is no such place")
