"""The command line starts fast because it imports late."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from frostline import cli
from frostline.cli import main
from frostline.commands import model_commands

FROSTLINE = (sys.executable, "-m", "frostline")
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


def test_what_standard_output_refuses_is_one_clear_error() -> None:
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run([*FROSTLINE, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (
        1,
        "Error: Standard output cannot be written: No space left on device. Make room where it leads.\n",
    )


def test_who_stops_reading_ends_a_command_as_sigpipe_does() -> None:
    process = subprocess.Popen([*FROSTLINE, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 141)


@pytest.mark.parametrize(
    "arguments",
    [("--debug", "summary"), ("summary", "--debug"), ("cache", "show", "--debug"), ("cache", "--debug", "show")],
)
def test_debug_shows_the_traceback_wherever_it_stands(
    arguments: tuple[str, ...], tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FROSTLINE_DEBUG", "0")
    monkeypatch.setattr("sys.argv", ["frostline", *arguments])
    with pytest.raises(SystemExit, match="1"):
        main()
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last):\n")
    assert said.splitlines()[-1].startswith("Error: params.yaml does not exist in ")
    assert os.environ["FROSTLINE_DEBUG"] == "1"  # for the processes that it starts


def test_a_working_folder_that_is_gone_is_one_clear_error(tmp_path) -> None:
    script = "import os, sys\nfrom frostline.cli import main\nos.rmdir(os.getcwd())\nsys.argv = ['', 'summary']\nmain()"
    gone = tmp_path / "gone"
    gone.mkdir()
    answer = subprocess.run([sys.executable, "-c", script], cwd=gone, capture_output=True, text=True, check=False)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert answer.stderr.startswith("Error: params.yaml does not exist in this folder, which is gone.")


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


def test_every_command_calls_a_function_that_is_there() -> None:
    """Modules are imported by name when they are needed, which mypy cannot follow."""
    source = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (cli, model_commands))
    called = re.findall(r'_(stage|command)\("(\w+)"\)\.(\w+)\(', source)
    assert len(called) == source.count('_stage("') + source.count('_command("') > 15
    for room, module, function in called:
        assert callable(getattr(import_module(f"frostline.{room}s.{module}"), function))
