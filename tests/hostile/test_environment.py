"""Projects outside git, and environments that were made for other work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
