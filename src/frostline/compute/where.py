"""Where params.yaml has the work done."""

from importlib.util import find_spec

from frostline.config.compute import ComputeConfig
from frostline.errors import PackageError

__all__ = ["on_cluster"]


def on_cluster(options: ComputeConfig) -> bool:
    """Whether on a Ray cluster. Raises PackageError if that is asked for and Ray is not installed."""
    if options.engine == "ray" and find_spec("ray") is None:
        raise PackageError("compute.engine is ray, but Ray is not installed: pip install 'frostline[ray]'.")
    return options.engine == "ray"
