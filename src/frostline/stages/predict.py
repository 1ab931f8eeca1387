"""`frostline predict`: label images with the champion."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from frostline.config import Config
from frostline.errors import ConfigError
from frostline.params import load_config
from frostline.registry.models import load_champion, predict
from frostline.tracking.runs import Tracker

__all__ = ["run"]


def run(images: list[Path], dataset: str | None) -> bool:
    """Print a row per image; True if every image could be labelled.

    Raises ConfigError if `dataset` is needed, RegistryError if it has no champion.
    """
    config = load_config()
    name = _only_dataset(config) if dataset is None else dataset
    config.dataset(name)
    answers = predict(load_champion(Tracker.open(config.stores, name), name), images)
    table = Table(header_style="bold")
    for heading in ("image", "label", "probability"):
        table.add_column(heading, overflow="fold")
    for path, answer in zip(images, answers.to_dict("records"), strict=True):
        if answer["error"]:
            table.add_row(escape(str(path)), "[red]error[/red]", escape(str(answer["error"])))
        else:
            table.add_row(escape(str(path)), escape(answer["label"]), f"{answer['probability']:.3f}")
    Console().print(table)
    return not answers["error"].astype(bool).any()


def _only_dataset(config: Config) -> str:
    if len(config.datasets) > 1:
        raise ConfigError(
            f"params.yaml names several data sets ({', '.join(config.datasets)}): "
            "say whose champion to use with --dataset NAME."
        )
    return next(iter(config.datasets))
