"""Rows of `frostline doctor` about what params.yaml names: data sources and stores. Nothing is made or downloaded."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from frostline.commands.examination.machine import existing
from frostline.commands.examination.row import Remark, Row, examine
from frostline.config.schema import Config
from frostline.errors import DataError, StoreError
from frostline.stores.addresses import Address, address_of, tracking_address
from frostline.text.phrases import counted
from frostline.text.redaction import redacted

__all__ = ["project_rows"]

_HASTE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def project_rows(config: Config) -> Iterator[Row]:
    """Rows about each data set and both stores."""
    for name in config.datasets:
        yield examine(f"data: {name}", _data, config, name)
    yield examine("MLflow store", _runs, config)
    yield examine("Optuna store", _studies, config)


def _data(config: Config, name: str) -> str:
    from frostline.data.sources import open_source

    source = open_source(config.dataset(name))
    if to_fetch := source.to_fetch():
        return Remark(f"not here yet: {to_fetch}")
    records = source.records()
    first = source.root / records[0].image
    if not os.access(first, os.R_OK):
        raise DataError(f"{first} cannot be read: give yourself permission, or mend its path")
    classes = counted(len({record.label for record in records}), "class", "classes")
    return f"{counted(len(records), 'file')} of {classes} in {source.root}"


def _runs(config: Config) -> str:
    from frostline.tracking.store import Store

    address = tracking_address(config.stores)
    if "://" in address.url and not address.url.startswith("http") and not _tables(address):
        return Remark(f"{address.shown} will be made by the first run")
    with _haste():
        Store.open(config.stores)
    return f"{address.shown} answers"


@contextmanager
def _haste() -> Iterator[None]:
    """Let MLflow ask an address that nobody answers at once, for seconds: its own patience is for trainings."""
    former = {name: os.environ.get(name) for name in _HASTE}
    os.environ |= _HASTE
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _studies(config: Config) -> str:
    from frostline.search.study import list_studies

    address = address_of(config.stores.studies, "stores.studies")
    if not _tables(address):
        return Remark(f"{address.shown} will be made by the first study")
    return f"{address.shown}: {counted(len(list_studies(config.stores.studies)), 'study', 'studies')}"


def _tables(address: Address) -> list[str]:
    """The tables of a database; none where there is no file yet. Opening it otherwise would make them."""
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.exc import SQLAlchemyError

    if address.file:
        place = address.file if address.file.exists() else existing(address.file)
        if not os.access(place, os.W_OK):
            raise StoreError(f"{address.file} cannot be written: the system refuses it in {place}")
        if not address.file.exists():
            return []
    try:
        engine = create_engine(address.url)
        try:
            return inspect(engine).get_table_names()
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        reason = redacted(" ".join(str(error).split()), address.url)
        raise StoreError(f"{address.shown} cannot be opened: {reason}", address=address.url) from error
