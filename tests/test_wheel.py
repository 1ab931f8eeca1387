"""What a user does first, with the wheel alone: install it, make a project, run it, and label pictures."""

import csv
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from io import StringIO
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
QUICK = {"heads": 3, "thawed": 1, "images": 50}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree, built from a copy: a build leaves files beside the source."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignored)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], env=environment(), check=True)
    (built,) = folder.glob("frostline-*.whl")
    return built


def environment() -> dict[str, str]:
    """This process's, without what points Python and MLflow elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PYTHON"))}


class Shell:
    """A new virtual environment with the wheel in it, and commands run in a folder with a space and an umlaut.

    The packages that frostline needs are those of the environment that tests run in: nothing is downloaded.
    """

    def __init__(self, wheel: Path, folder: Path) -> None:
        self.folder = folder / "erster Versuch für alle"
        self.folder.mkdir()
        home = folder / "environment"
        venv.create(home, with_pip=False)
        python = home / "bin/python"
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)]
        subprocess.run(install, env=environment(), check=True)
        (site,) = home.glob("lib/python*/site-packages")
        (site / "shared.pth").write_text(sysconfig.get_path("purelib"))
        places = (str(home / "bin"), str(Path(sys.executable).parent), os.environ["PATH"])
        self._environment = environment() | {"PATH": os.pathsep.join(places)}
        self.python = python

    def run(self, *command: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.folder / folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def shell(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(wheel, tmp_path_factory.mktemp("new"))


def test_the_wheel_holds_all_that_is_read(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    needed = {path.relative_to(ROOT / "src") for path in (ROOT / "src/frostline").rglob("*") if path.is_file()}
    assert {path.as_posix() for path in needed if "__pycache__" not in path.parts} <= held


def test_from_an_empty_folder_to_labelled_pictures(shell: Shell, solar_cells: list[Path]) -> None:
    where = shell.run(str(shell.python), "-c", "import frostline; print(frostline.__file__)").stdout
    assert where.startswith(str(shell.python.parents[1]))
    images = shell.folder / "Bilder"
    for number, cell in enumerate(solar_cells[:40]):
        place = images / ("gerade Zahl" if number % 2 else "ungerade Zahl")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(cell, place)

    made = shell.run("frostline", "init", "Projekt", "--images", "Bilder")
    assert "dvc repro" in made.stderr
    file = shell.folder / "Projekt/params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert params["sizes"] == {"all": "all"}
    params["search"]["effort"] = QUICK
    params["backbones"]["vgg16"]["image_size"] = 32
    params["promotion"]["floors"] = {"accuracy": 0.01}
    file.write_text(yaml.safe_dump(params), encoding="utf-8")

    ran = shell.run("dvc", "repro", folder="Projekt")
    told = ran.stdout + ran.stderr
    assert told.index("How long this machine takes") < told.index("2 classes: gerade Zahl (20 files")
    assert "champion" in shell.run("frostline", "promote", "Bilder", folder="Projekt").stderr
    answers = shell.run("frostline", "predict", "../Bilder", "--format", "csv", folder="Projekt").stdout
    rows = list(csv.DictReader(StringIO(answers)))
    assert len(rows) == 40
    assert {row["label"] for row in rows} <= {"gerade Zahl", "ungerade Zahl"}
    assert not any(row["error"] for row in rows)


def test_windows_itself_is_refused_in_one_clear_error(shell: Shell) -> None:
    """Where system calls are missing, before anything that asks for them is imported."""
    script = (
        "import os, signal, sys; sys.platform = 'win32'; del os.preadv, os.pwrite, signal.SIGHUP\n"
        "from frostline.__main__ import main; main()"
    )
    done = subprocess.run([shell.python, "-c", script], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: frostline does not run on Windows itself")
    assert "wsl --install" in done.stderr
    assert "Traceback" not in done.stderr
