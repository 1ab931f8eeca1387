"""`frostline promote`: the challenger becomes the champion."""

from frostline.params import load_config
from frostline.progress import say
from frostline.registry.models import promote
from frostline.tracking.runs import Tracker

__all__ = ["run"]


def run(dataset: str) -> None:
    """Move the alias `champion` to the challenger's version. Raises RegistryError if there is none."""
    config = load_config()
    config.dataset(dataset)
    version = promote(Tracker.open(config.stores, dataset), dataset)
    say(f"{version.name} version {version.version} is champion; `frostline predict` uses it from now on.")
