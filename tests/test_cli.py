"""The command line starts fast because it imports late."""

import subprocess
import sys

import pytest

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
