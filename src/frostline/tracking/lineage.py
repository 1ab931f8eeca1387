"""Who made a result, and with what: the code's commit, the data's lock file, and the versions of what ran."""

import getpass
import hashlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from frostline import __version__

__all__ = ["lineage_tags", "user"]


def lineage_tags() -> dict[str, str]:
    """Tags for a run. What is not there (no git, no dvc.lock, a package that is not installed) has no tag."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    versions = {name: _version(name) for name in ("keras", backend)}
    commit = _git("rev-parse", "HEAD")
    tags = {
        "version.frostline": __version__,
        "version.python": platform.python_version(),
        "keras_backend": backend,
        "mlflow.source.git.commit": commit,
        "git_commit": commit,
        "git_dirty": None if commit is None else str(bool(_git("status", "--porcelain"))).lower(),
        "dvc_lock": _sha256(Path("dvc.lock")),
    } | {f"version.{name}": value for name, value in versions.items()}
    return {name: value for name, value in tags.items() if value}


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # containers run under user ids that have no name


def _git(*arguments: str) -> str | None:
    """What git answers in the current folder; None without git, or outside a repository with a commit."""
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
