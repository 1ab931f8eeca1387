"""What the command line does before a command, and in which folder: both for a call from a notebook."""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from frostline.errors import ConfigError
from frostline.files.reading import reading
from frostline.runtime.environment import expand_home, prepare_keras, set_defaults

__all__ = ["begun", "in_folder"]


def begun() -> None:
    """Set what Keras and MLflow must find when they are imported. Raises ConfigError if Keras cannot run."""
    set_defaults()
    prepare_keras()


@contextmanager
def in_folder(project: Path | str) -> Iterator[None]:
    """Work in the folder of a project, which holds params.yaml, for the length of the block.

    Raises ConfigError if there is no such folder.
    """
    folder = expand_home(project)
    with reading(folder, ConfigError):
        there = folder.is_dir()
    if not there:
        raise ConfigError(f"The project's folder {folder} does not exist (seen from {Path.cwd()}). Mend `project`.")
    begun()
    with chdir(folder):
        yield
