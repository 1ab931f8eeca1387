"""Studies on real SQLite: resumable, locked, repeatable, and honest about trials that fail."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from frostline.config.load import load_config
from frostline.config.schema import SearchConfig
from frostline.config.types import GUIDE
from frostline.errors import SearchError, StoreError, WriteError
from frostline.runtime.ending import Interrupted, ended
from frostline.search.space import guide_settings, suggest
from frostline.search.study import (
    NUMBER,
    REASON,
    STANDARD_ERROR,
    TrialFailed,
    finished_trials,
    list_studies,
    open_study,
    run_study,
)
from frostline.stores import sqlite

DEPTH = 5
CONFIG = load_config(Path(__file__).parents[2] / "params.yaml").search.model_copy(update={"trials": 9})
FIRST = [guide_settings(strategy, CONFIG, DEPTH) for strategy in GUIDE]


def _objective(trial: optuna.Trial) -> float:
    settings = suggest(trial, CONFIG, DEPTH)
    for name, value in settings.model_dump().items():
        trial.set_user_attr(name, value)
    trial.set_user_attr(STANDARD_ERROR, 0.04)
    return settings.keep / 10 - settings.thaw / 20 + settings.dropout / 100


def _search(storage: str, name: str = "study", config: SearchConfig = CONFIG) -> list[optuna.trial.FrozenTrial]:
    with open_study(storage, name, config) as study:
        run_study(study, _objective, config, FIRST, seed=7)
        return sorted(finished_trials(study), key=lambda trial: trial.user_attrs[NUMBER])


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/stores/optuna.db"


def test_the_guide_comes_first_and_the_number_asked_for_is_run(storage: str) -> None:
    trials = _search(storage)
    assert len(trials) == 9
    assert [
        (trial.params["init_if_unfrozen"], trial.params["keep"], trial.params["freeze_at_most"]) for trial in trials[:4]
    ] == [
        ("pretrained", 5, 5),
        ("pretrained", 4, 4),
        ("pretrained", 5, 0),
        ("random", 5, 0),
    ]


def test_two_searches_from_scratch_propose_the_same(tmp_path: Path) -> None:
    first, second = (_search(f"sqlite:///{tmp_path}/{name}.db") for name in "ab")
    assert [trial.params for trial in first] == [trial.params for trial in second]


def test_a_finished_study_runs_nothing_more_and_a_raised_number_runs_the_rest(storage: str) -> None:
    _search(storage)
    assert len(_search(storage)) == 9
    assert len(_search(storage, config=CONFIG.model_copy(update={"trials": 11}))) == 11


def test_a_killed_search_keeps_its_trials_and_ends_as_if_never_killed(tmp_path: Path, storage: str) -> None:
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_study import CONFIG, FIRST, _objective, open_study, run_study
        def objective(trial):
            value = _objective(trial)
            if trial.number == int(sys.argv[1]):
                os.kill(os.getpid(), signal.SIGKILL)
            return value
        with open_study({storage!r}, "study", CONFIG) as study:
            run_study(study, objective, CONFIG, FIRST, seed=7)
        """
    )
    for number in ("2", "7"):
        killed = subprocess.run([sys.executable, "-c", script, number], check=False)
        assert killed.returncode == -signal.SIGKILL
    resumed = _search(storage)
    untouched = _search(f"sqlite:///{tmp_path}/untouched.db")
    assert [trial.params for trial in resumed] == [trial.params for trial in untouched]
    assert [trial.value for trial in resumed] == [trial.value for trial in untouched]
    with open_study(storage, "study", CONFIG) as study:
        interrupted = [trial for trial in study.trials if trial.state == TrialState.FAIL]
        assert len(interrupted) == 2
        assert len(study.trials) == len(resumed) + 2


def test_a_trial_that_fails_keeps_its_reason_and_the_study_goes_on(storage: str) -> None:
    def objective(trial: optuna.Trial) -> float:
        value = _objective(trial)
        if trial.user_attrs[NUMBER] == 2:
            raise TrialFailed("the training loss became nan")
        return value

    with open_study(storage, "study", CONFIG) as study:
        run_study(study, objective, CONFIG, FIRST, seed=7)
        failed = [trial for trial in finished_trials(study) if trial.state == TrialState.FAIL]
        assert [trial.user_attrs[REASON] for trial in failed] == ["the training loss became nan"]
        assert len(finished_trials(study)) == CONFIG.trials


def test_numbers_that_an_earlier_version_repeated_or_left_out_are_each_run_once(storage: str) -> None:
    with open_study(storage, "study", CONFIG) as study:
        for number in (1, 2, 3, 3):
            study.add_trial(optuna.create_trial(value=0.1, user_attrs={NUMBER: number}))
        for number in (2, 5, 5):
            study.enqueue_trial({}, user_attrs={NUMBER: number})
    trials = _search(storage)
    assert [trial.user_attrs[NUMBER] for trial in trials] == list(range(1, 10))
    assert [trial.value for trial in trials[:3]] == [0.1] * 3
    assert trials[3].params["init_if_unfrozen"] == "random"  # the guide's fourth


def test_a_trial_that_a_person_queued_is_run(storage: str) -> None:
    with open_study(storage, "study", CONFIG) as study:
        study.enqueue_trial({"keep": 2})
    first = _search(storage)[0]
    assert (first.params["keep"], first.user_attrs[NUMBER]) == (2, 1)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), Interrupted(2)])
def test_an_interrupted_trial_is_run_again_in_silence(storage: str, capfd, interrupt: BaseException) -> None:
    def interrupted(trial: optuna.Trial) -> float:
        if trial.user_attrs[NUMBER] == 2:
            raise interrupt
        return _objective(trial)

    with open_study(storage, "study", CONFIG) as study, pytest.raises(type(interrupt)):
        run_study(study, interrupted, CONFIG, FIRST, seed=7)
    assert [trial.user_attrs[NUMBER] for trial in _search(storage)] == list(range(1, 10))
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

    with open_study(storage, "study", CONFIG) as study, closing(sqlite3.connect(file)) as other:
        with pytest.raises(SystemExit, match="1"), ended():
            run_study(study, objective, CONFIG, FIRST, seed=7)
        waiting, error = capsys.readouterr().err.splitlines()
    assert waiting == f"Waiting for {file}: another program has it locked."
    assert error.startswith(f"Error: The database {file} cannot be used: another program has kept it locked")
    assert [trial.user_attrs[NUMBER] for trial in _search(storage)] == list(range(1, 10))


def test_a_failed_trial_is_not_reported_with_a_traceback(storage: str, capfd) -> None:
    def objective(_: optuna.Trial) -> float:
        raise TrialFailed("memory ran out")

    with open_study(storage, "study", CONFIG) as study:
        run_study(study, objective, CONFIG, FIRST, seed=7)
    assert capfd.readouterr().err == ""


def test_an_unexpected_error_stops_the_study_and_its_trial_is_run_again(storage: str) -> None:
    def broken(trial: optuna.Trial) -> float:
        _objective(trial)
        raise RuntimeError("a bug")

    with open_study(storage, "study", CONFIG) as study, pytest.raises(RuntimeError, match="a bug"):
        run_study(study, broken, CONFIG, FIRST, seed=7)
    trials = _search(storage)
    assert [(trial.params["init_if_unfrozen"], trial.params["freeze_at_most"]) for trial in trials[:4]] == [
        ("pretrained", 5),
        ("pretrained", 4),
        ("pretrained", 0),
        ("random", 0),
    ]


def test_a_second_process_is_told_that_the_study_is_being_run(storage: str) -> None:
    with (
        open_study(storage, "study", CONFIG),
        pytest.raises(SearchError, match=r"being run by another process.*PostgreSQL"),
        open_study(storage, "study", CONFIG),
    ):
        pass


def test_a_storage_that_cannot_be_opened_is_one_clear_error() -> None:
    with pytest.raises(StoreError, match=r"stores.studies in params.yaml\) cannot be opened"):
        list_studies("nonsense://nowhere")


def test_a_storage_that_refuses_in_the_middle_is_one_clear_error(storage: str) -> None:
    lost = OperationalError("SELECT 1", None, ConnectionError("server closed the connection"))
    with (
        pytest.raises(StoreError, match=r"The study storage sqlite:///.* refused: .*server closed"),
        open_study(storage, "study", CONFIG),
    ):
        raise lost


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(WriteError, match=r"file/\.study\.lock cannot be written"),
        open_study(f"sqlite:///{tmp_path}/file/studies.db", "study", CONFIG),
    ):
        pytest.fail("there is no such place")
