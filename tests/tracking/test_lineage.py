import hashlib
import platform
import subprocess
from importlib.metadata import version

import pytest

from frostline.tracking.lineage import lineage_tags


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")


def test_outside_git_and_dvc_only_versions_are_known():
    tags = lineage_tags()
    assert tags["version.python"] == platform.python_version()
    assert tags["version.keras"] == version("keras")
    assert tags["keras_backend"] == "tensorflow"
    assert not {"git_commit", "git_dirty", "dvc_lock"} & set(tags)


def test_a_repository_without_a_commit_has_no_commit():
    git("init")
    assert "git_commit" not in lineage_tags()


def test_commit_and_dirty_flag(tmp_path):
    git("init")
    (tmp_path / "params.yaml").write_text("seed: 1")
    git("add", ".")
    git("commit", "-m", "first")
    clean = lineage_tags()
    (tmp_path / "params.yaml").write_text("seed: 2")
    dirty = lineage_tags()
    assert clean["git_commit"] == clean["mlflow.source.git.commit"] == git("rev-parse", "HEAD")
    assert (clean["git_dirty"], dirty["git_dirty"]) == ("false", "true")


def test_the_lock_file_is_named_by_its_content(tmp_path):
    (tmp_path / "dvc.lock").write_bytes(b"schema: '2.0'\n")
    assert lineage_tags()["dvc_lock"] == hashlib.sha256(b"schema: '2.0'\n").hexdigest()


def test_a_machine_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "git_commit" not in lineage_tags()


def test_the_backend_in_use_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    tags = lineage_tags()
    assert tags["keras_backend"] == "numpy"
    assert tags["version.numpy"] == version("numpy")
