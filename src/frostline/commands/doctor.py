"""`frostline doctor`: whether all is there that the pipeline needs, before anyone trains, and what to do if not."""

import os
from collections.abc import Iterator

from rich.table import Column, Table

from frostline.commands.examination.cluster import cluster_rows
from frostline.commands.examination.machine import machine_rows, room_rows
from frostline.commands.examination.network import start_network_rows
from frostline.commands.examination.project import project_rows
from frostline.commands.examination.row import Row, examine
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.errors import ConfigError
from frostline.runtime.environment import prepare_keras
from frostline.runtime.terminal import console, plain

__all__ = ["run"]

_COLOURS = {"ok": "green", "note": "yellow", "missing": "red"}


def run() -> bool:
    """Print a table of what was looked at; True if nothing is missing that the pipeline needs. Nothing is changed."""
    table = Table("", "", Column(overflow="fold"), show_header=False)
    healthy = True
    for row in _rows():
        colour = _COLOURS[row.state]
        table.add_row(f"[{colour}]{row.state}[/{colour}]", row.name, plain(row.words, keep="\n"))
        healthy &= row.state != "missing"
    console().print(table)
    return healthy


def _rows() -> Iterator[Row]:
    config, parameters = _configuration()
    backend = examine("backend", prepare_keras)
    network_rows = start_network_rows(config) if backend.state == "ok" else list
    yield from machine_rows(os.environ["KERAS_BACKEND"] if backend.state == "ok" else None)
    yield parameters
    if config:
        yield from room_rows(config)
        yield from project_rows(config)
        yield from cluster_rows(config)
    yield backend
    yield from network_rows()


def _configuration() -> tuple[Config | None, Row]:
    try:
        return load_config(), Row("ok", "params.yaml", "can be read")
    except ConfigError as error:
        return None, Row("missing", "params.yaml", str(error))
