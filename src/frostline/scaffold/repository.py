"""What a project lies in: a git repository, where git is installed, and a DVC project."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from frostline.errors import ConfigError

__all__ = ["make_repository"]


def make_repository(folder: Path) -> list[str]:
    """Make `folder` a git repository and a DVC project, as far as it is none, and say what was made.

    Raises ConfigError if git or DVC refuses.
    """
    made = []
    git = shutil.which("git")
    if git and not _answers(git, folder, "rev-parse", "--is-inside-work-tree"):
        _run([git, "init", "-q"], folder)
        made.append("a git repository")
    if not (folder / ".dvc").is_dir():
        own = (folder / ".git").exists()
        tracked = own or (git and not _answers(git, folder, "check-ignore", "-q", "."))
        option = [] if own and git else ["--subdir"] if tracked and git else ["--no-scm"]
        _run([sys.executable, "-m", "dvc", "init", *option], folder)
        for key in ("core.analytics", "core.check_update"):
            _run([sys.executable, "-m", "dvc", "config", key, "false"], folder)
        made.append("a DVC project")
    return made


def _answers(git: str, folder: Path, *question: str) -> bool:
    """Whether git says yes to `question`."""
    return subprocess.run([git, *question], cwd=folder, capture_output=True, check=False).returncode == 0  # noqa: S603


def _run(words: Sequence[str], folder: Path) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # fixed words
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise ConfigError(f"`{' '.join(words)}` failed in {folder}: {said or 'it said nothing'}. Mend that first.")
