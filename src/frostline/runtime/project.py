"""Where the project is, which is not always the working folder: DVC runs some experiments in a copy of the repository.

`dvc exp run --temp` and queue workers clone the repository below its own `.dvc/tmp/exps/` and delete the clone after.
What DVC and git do not carry belongs to the project: stores, caches, and data that neither of them tracks.
"""

from pathlib import Path

from frostline.runtime.environment import expand_home

__all__ = ["in_project", "project_folder"]

_COPIES = (".dvc", "tmp", "exps")


def project_folder() -> Path:
    """The working folder; in an experiment's copy of the repository, the folder that it is a copy of."""
    here = Path.cwd()
    copy = _repository(here)
    copies = next((folder for folder in copy.parents if folder.parts[-3:] == _COPIES), None) if copy else None
    original = _repository(copies.parents[2]) if copies else None
    return original / here.relative_to(copy) if copy and original else here


def in_project(path: Path) -> Path:
    """`path`, where `~` is the home folder, as it is if it exists from the working folder; else from the project's."""
    path = expand_home(path)
    home = project_folder()
    return path if home == Path.cwd() or path.exists() else home / path


def _repository(folder: Path) -> Path | None:
    """The git repository that holds `folder`."""
    return next((above for above in (folder, *folder.parents) if (above / ".git").exists()), None)
