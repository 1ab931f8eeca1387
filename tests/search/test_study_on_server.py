"""A study on a real PostgreSQL server: one process at a time, and what a dead one left is run again at once."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from test_study import EVERY, _numbers, _search

from frostline.errors import SearchError, StoreError
from frostline.search.study import open_study

pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'frostline[postgresql]')")


@pytest.fixture(scope="module")
def server(new_database: Callable[[], str]) -> str:
    """The address of a database of its own."""
    return new_database()


def test_a_study_is_the_same_as_on_sqlite(server: str, tmp_path: Path) -> None:
    there, here = _search(server), _search(f"sqlite:///{tmp_path}/optuna.db")
    assert _numbers(there) == EVERY
    assert [trial.params for trial in there] == [trial.params for trial in here]
    assert [trial.user_attrs for trial in there] == [trial.user_attrs for trial in here]


def test_a_second_process_is_told_and_other_studies_are_free(server: str) -> None:
    with open_study(server, "one"), open_study(server, "two"):
        for name in ("one", "two"):
            with (
                pytest.raises(SearchError, match=f"Study {name} is being run by another process"),
                open_study(server, name),
            ):
                pass
    with open_study(server, "one"):
        pass


def test_what_a_killed_process_left_is_run_again_at_once(server: str) -> None:
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import test_study
        from frostline.search.study import open_study
        def objective(trial):
            value = test_study._objective(trial)
            if trial.user_attrs["trial"] == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return value
        with open_study({server!r}, "killed") as study:
            test_study._run(study, objective)
        """
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    import test_study

    with open_study(server, "killed") as study:
        test_study._run(study, test_study._objective)
        assert _numbers(test_study.finished_trials(study)) == EVERY


def test_a_server_that_is_not_there_is_one_clear_error() -> None:
    with (
        pytest.raises(
            StoreError, match=r"The study storage postgresql.* \(stores.studies in params.yaml\) cannot be opened"
        ),
        open_study("postgresql+psycopg://ada:s3cret@127.0.0.1:9/x", "study"),
    ):
        pass
