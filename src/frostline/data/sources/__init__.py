"""Where labelled pictures come from: a folder, a CSV file, the package elpv-dataset, or keras.datasets."""

from frostline.config.schema import CsvConfig, DatasetConfig, ElpvConfig, FolderConfig
from frostline.data.sources.elpv import ElpvSource
from frostline.data.sources.folder import FolderSource
from frostline.data.sources.keras_datasets import KerasSource
from frostline.data.sources.record import Reading, Record, Source
from frostline.data.sources.table import CsvSource
from frostline.runtime.project import in_project

__all__ = ["Reading", "Record", "Source", "open_source"]


def open_source(config: DatasetConfig) -> Source:
    """The source that `config` describes; its files are looked at only when asked for.

    Raises:
        PackageError: the package that holds the pictures is not installed.
    """
    if isinstance(config, FolderConfig):
        return FolderSource(in_project(config.path))
    if isinstance(config, CsvConfig):
        return CsvSource(in_project(config.path))
    if isinstance(config, ElpvConfig):
        return ElpvSource.find(config.threshold)
    return KerasSource(config.name)
