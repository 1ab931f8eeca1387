"""The workers that params.yaml asks for, and whether they are on a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from frostline.compute.local import InProcess
from frostline.compute.workers import Workers
from frostline.config.compute import ComputeConfig
from frostline.errors import PackageError
from frostline.training.trial import Trainer

__all__ = ["on_cluster", "open_workers"]


@contextmanager
def open_workers(options: ComputeConfig, trainer: Trainer) -> Iterator[Workers]:
    """This process, or a Ray cluster. Raises PackageError if that is asked for and Ray is not installed."""
    if not on_cluster(options):
        yield InProcess(trainer)
        return
    from frostline.compute.cluster import open_cluster

    with open_cluster(options, trainer) as cluster:
        yield cluster


def on_cluster(options: ComputeConfig) -> bool:
    """Whether a Ray cluster is asked for. Raises PackageError if it is and Ray is not installed."""
    if options.engine == "ray" and find_spec("ray") is None:
        raise PackageError("compute.engine is ray, but Ray is not installed: pip install 'frostline[ray]'.")
    return options.engine == "ray"
