"""Label many files with one version: in this process, or by workers on a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from frostline.compute.where import on_cluster
from frostline.config.compute import ComputeConfig
from frostline.registry.models import LoadedVersion, predict

__all__ = ["Label", "open_labelling"]

Label = Callable[[Iterable[Sequence[Path]]], Iterator[pd.DataFrame]]
"""Takes batches of files, and gives for each, in their order, the rows of registry.models.predict."""


@contextmanager
def open_labelling(options: ComputeConfig, version: LoadedVersion) -> Iterator[Label]:
    """Labels by `version`, where `options` say. Raises PackageError if that needs Ray and it is not installed."""
    if not on_cluster(options):
        yield lambda batches: (predict(version.model, batch) for batch in batches)
        return
    from frostline.serving.labellers import open_labellers

    with open_labellers(options, version) as labellers:
        yield labellers.label
