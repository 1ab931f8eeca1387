"""Projects outside git, and environments that were made for other work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


def git(*arguments: str, folder: Path) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def archive(folder: Path) -> Path:
    """What `make repro` needs of a source archive, its environment built, and one stage in place of the pipeline's."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "pyproject.toml", ".dvc/config"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "dvc.yaml").write_text("stages:\n  done:\n    cmd: echo done > done.txt\n    outs:\n      - done.txt\n")
    (folder / ".venv" / "bin" / "dvc").symlink_to(Path(sys.executable).with_name("dvc"))
    (folder / ".venv" / "bin" / "frostline").symlink_to(str(shutil.which("true")))
    (folder / ".venv" / ".ready").touch()
    return folder


@pytest.mark.parametrize("place", ["nowhere", "ignored", "repository"])
def test_make_repro_runs_with_and_without_a_repository(tmp_path: Path, place: str) -> None:
    project = archive(tmp_path / "project")
    if place == "ignored":
        git("init", folder=tmp_path)
        (tmp_path / ".gitignore").write_text("project\n")
    elif place == "repository":
        git("init", folder=project)
    answer = subprocess.run(["make", "repro"], cwd=project, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert (project / "done.txt").read_text() == "done\n"
    assert (project / ".dvc" / "config.local").exists() == (place != "repository")


def test_make_repro_needs_no_git_at_all(tmp_path: Path) -> None:
    project = archive(tmp_path / "project")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "sh", "grep", "echo"):
        (programs / name).symlink_to(str(shutil.which(name)))
    for _ in range(2):
        answer = subprocess.run(
            ["make", "repro"],
            cwd=project,
            env=os.environ | {"PATH": str(programs)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
    assert (project / ".dvc" / "config.local").read_text().count("no_scm") == 1


def test_an_environment_where_all_is_odd_changes_no_answer(tmp_path: Path) -> None:
    """Warnings that end processes, no home, no temporary folder, numbers that are none, Keras set for other work."""
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float16"}')
    for number in range(32):
        file = tmp_path / "plain" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 40, 3), 7 * number, np.uint8)).save(file)
        (file.parent / f"{number}.mp3").write_bytes(b"ID3 no picture")
    odd = {
        "PYTHONWARNINGS": "error",
        "HOME": "/dev/null/absent",
        "TMPDIR": "/dev/null/absent",
        "MPLCONFIGDIR": "/dev/null/absent",
        "LC_ALL": "C",
        "KERAS_HOME": str(tmp_path / "keras"),
        "KERAS_BACKEND": "",
        "KERAS_MAX_EPOCHS": "none",
        "OMP_NUM_THREADS": "many",
        "CUDA_VISIBLE_DEVICES": "",
        "MLFLOW_RUN_ID": "0",
        "TF_USE_LEGACY_KERAS": "1",
    }
    answer = subprocess.run(
        [sys.executable, "-m", "frostline", "advise", "plain", "--image-size", "32", "--images", "30"],
        cwd=tmp_path,
        env=os.environ | odd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    words = " ".join(answer.stdout.split())
    assert "32 in 2 classes (a 16, b 16)" in words
    assert "Regime small-different" in words
    assert (tmp_path / "advice.png").exists()


def test_a_device_that_is_not_there_is_one_clear_error() -> None:
    pytest.importorskip("jax")
    answer = subprocess.run(
        [sys.executable, "-c", "from frostline.runtime.devices import accelerators; accelerators()"],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cuda"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ConfigError: jax finds no device to run on: " in answer.stderr
    assert "Unset what chooses devices, such as JAX_PLATFORMS" in answer.stderr
