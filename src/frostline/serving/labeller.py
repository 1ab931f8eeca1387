"""What a Ray actor runs that labels pictures: one version, for one batch at a time.

Keras is not imported here, but when a labeller is made: what it finds in the environment must be set before.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from frostline.provenance import Machine
from frostline.runtime.environment import prepare_keras, set_defaults

if TYPE_CHECKING:  # it imports MLflow
    from frostline.registry.models import Content, LoadedVersion

__all__ = ["Labeller", "SentVersion", "State", "state"]

State = tuple[int, int] | None
"""A file's size in bytes and time of modification in ns; None where there is no such file."""


def state(path: Path) -> State:
    """By which a file is taken for the same one on two machines."""
    try:
        found = path.stat()
    except OSError:  # reading it says what is wrong
        return None
    return found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class SentVersion:
    """A registered version; `files`, in Ray's object store, has the bytes of each by its path in the folder."""

    name: str
    number: str
    files: Any

    @classmethod
    def of(cls, version: "LoadedVersion") -> Self:
        """Send `version`. Each node has one copy."""
        import ray

        folder = version.folder
        files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        return cls(version.name, version.number, ray.put(files))

    def load(self) -> "LoadedVersion":
        """The version on this machine; its files are not kept. Raises RegistryError if they do not load here."""
        import ray

        from frostline.registry.models import open_folder

        with TemporaryDirectory() as temporary:
            folder = Path(temporary, "model")
            for name, content in ray.get(self.files).items():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            return open_folder(self.name, self.number, folder)


class Labeller:
    """Labels batches of pictures on its part of a machine."""

    def __init__(self, version: SentVersion) -> None:
        set_defaults()
        prepare_keras()
        self._version = version

    def machine(self) -> tuple[str, Mapping[str, Any]]:
        """The host's name, and what must be the same on all: see provenance.Machine."""
        return platform.node(), Machine(precision="").facts

    @cached_property
    def _model(self) -> Any:
        return self._version.load().model

    def label_here(self, paths: Sequence[Path], states: Sequence[State], folder: Path) -> Any:
        """The rows of registry.models.label of files on this machine, whose paths may be relative to `folder`.

        None if one of them is not what it is on the machine that `states` are of.
        """
        from frostline.registry.models import label, read

        files = [folder / path for path in paths]
        if [state(file) for file in files] != list(states):
            return None
        return label(self._model, paths, [read(file) for file in files])

    def label_sent(self, paths: Sequence[Path], contents: "Sequence[Content]") -> Any:
        """The same rows, of files that were read elsewhere."""
        from frostline.registry.models import label

        return label(self._model, paths, contents)
