"""The command line starts fast because it imports late."""

import os
import subprocess
import sys

import pytest

from frostline.cli import main

HEAVY = ("keras", "tensorflow", "mlflow", "optuna", "pandas", "matplotlib", "sklearn")


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_nothing_heavy(argument: str) -> None:
    script = (
        "import sys\nfrom frostline.cli import main\n"
        f"sys.argv = ['frostline', {argument!r}]\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "HEAVY []"


def test_a_missing_params_file_is_one_clear_error(tmp_path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "frostline", "summary"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: params.yaml does not exist in ")
    assert "Traceback" not in answer.stderr


def test_what_the_system_refuses_is_one_clear_error(monkeypatch, capsys) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "optuna.db")

    monkeypatch.setattr("frostline.cli.app", full)
    with pytest.raises(SystemExit, match="1"):
        main()
    assert capsys.readouterr().err == (
        "Error: the system refused: [Errno 28] No space left on device: 'optuna.db'. "
        "Mend that and run again; what was finished is kept.\n"
    )


@pytest.mark.parametrize("command", [("serve", "--megabytes"), ("cache", "prune", "--to")])
@pytest.mark.parametrize("number", ["inf", "nan"])
def test_a_bound_must_be_a_number(command: tuple[str, ...], number: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["frostline", *command, number])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "should be less than or equal" in " ".join(capsys.readouterr().err.split())


def test_a_package_that_cannot_be_imported_is_one_clear_error(monkeypatch, capsys) -> None:
    def broken() -> None:
        raise ImportError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr("frostline.cli.app", broken)
    with pytest.raises(SystemExit, match="1"):
        main()
    assert capsys.readouterr().err == (
        "Error: a package cannot be imported: libcudart.so.12: cannot open shared object file. "
        "frostline doctor compares all of them.\n"
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"KERAS_BACKEND": "tensorflw"}, "Did you mean 'tensorflow'?"),
        (
            {"KERAS_BACKEND": "", "KERAS_HOME": "/dev/null/absent", "HOME": "/dev/null/absent"},
            "params.yaml does not exist in",
        ),
        ({"LC_ALL": "C", "TMPDIR": "/dev/null/absent", "OMP_NUM_THREADS": "many"}, "params.yaml does not exist in"),
        ({"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"}, "params.yaml does not exist in"),
    ],
)
def test_no_environment_makes_a_traceback(tmp_path, variables: dict[str, str], message: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "frostline", "summary"],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: ")
    assert message in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize("place", [".", "data/sources", "results/profile", "results/registered", "reports", "models"])
def test_any_command_tidies_up_after_a_killed_one(tmp_path, monkeypatch, place: str) -> None:
    (tmp_path / place / ".frostline-killed" / "new").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["frostline", "summary"])
    with pytest.raises(SystemExit):  # there is no params.yaml
        main()
    assert not (tmp_path / place / ".frostline-killed").exists()
