"""`frostline.load_champion`: the model that `frostline promote` made the champion, in this process."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from frostline.notebook.session import in_folder
from frostline.runtime.environment import expand_home

if TYPE_CHECKING:
    from frostline.registry.models import LoadedVersion

__all__ = ["Champion", "load_champion"]


class Champion:
    """A registered model, loaded. Threads may share it: they take turns."""

    def __init__(self, version: "LoadedVersion") -> None:
        self._version = version

    @property
    def name(self) -> str:
        """The registered model's name in MLflow."""
        return self._version.name

    @property
    def version(self) -> str:
        """Which version of it is the champion."""
        return self._version.number

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that it may give."""
        return tuple(self._version.model_config["classes"])

    def predict(self, images: Path | str | Iterable[Path | str]) -> pd.DataFrame:
        """A row for each of `images`, which are files, folders, patterns or tables, as for `frostline predict`.

        The columns are image, label, probability, known, strangeness, error, and probability_<class> for each class.
        A picture that cannot be used has a reason in `error`, and no label.

        Raises DataError if there is no image.
        """
        from frostline.data.sources.places import files_at
        from frostline.registry.models import batches, predict

        places = [images] if isinstance(images, Path | str) else images
        files = files_at([expand_home(place) for place in places])
        return pd.concat([predict(self._version.model, batch) for batch in batches(files)], ignore_index=True)

    def __repr__(self) -> str:
        return f"Champion({self.name!r}, version={self.version!r}, classes={list(self.classes)})"


def load_champion(dataset: str | None = None, *, project: Path | str = ".") -> Champion:
    """The champion of a data set of the project, which is the only one if none is named.

    Raises:
        ConfigError: there is no such data set, or several and none is named; or no params.yaml.
        RegistryError: it has no champion yet.
    """
    with in_folder(project):
        from frostline.config.load import load_config
        from frostline.registry.models import load_champion as load
        from frostline.tracking.runs import Tracker

        config = load_config()
        name = config.dataset_name(dataset)
        return Champion(load(Tracker.open(config.stores, name), name))
