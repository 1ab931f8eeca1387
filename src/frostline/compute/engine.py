"""The workers that params.yaml asks for."""

from collections.abc import Iterator
from contextlib import contextmanager

from frostline.compute.local import InProcess
from frostline.compute.where import on_cluster
from frostline.compute.workers import Workers
from frostline.config.compute import ComputeConfig
from frostline.training.trial import Trainer

__all__ = ["open_workers"]


@contextmanager
def open_workers(options: ComputeConfig, trainer: Trainer) -> Iterator[Workers]:
    """This process, or a Ray cluster. Raises PackageError if that is asked for and Ray is not installed."""
    if not on_cluster(options):
        yield InProcess(trainer)
        return
    from frostline.compute.cluster import open_cluster

    with open_cluster(options, trainer) as cluster:
        yield cluster
