"""Where labelled pictures come from: a folder or an archive of one, a table, a package, or a library of data sets."""

import os
from pathlib import Path

from frostline.config.datasets import (
    CsvConfig,
    DatasetConfig,
    ElpvConfig,
    FolderConfig,
    HuggingFaceConfig,
    KerasConfig,
)
from frostline.data.sources.archive import ArchiveSource
from frostline.data.sources.archives import is_archive_name
from frostline.data.sources.elpv import ElpvSource
from frostline.data.sources.folder import FolderSource
from frostline.data.sources.huggingface import HuggingFace
from frostline.data.sources.kept import is_file
from frostline.data.sources.keras_datasets import KerasSource
from frostline.data.sources.library import LibrarySource
from frostline.data.sources.record import Reading, Record, Source
from frostline.data.sources.table import CsvSource
from frostline.data.sources.tfds import TensorFlowDatasets
from frostline.runtime.project import in_project

__all__ = ["Reading", "Record", "Source", "folder_source", "open_source"]


def open_source(config: DatasetConfig) -> Source:
    """The source that `config` describes; its files are looked at only when asked for.

    Raises:
        PackageError: the package that holds the pictures is not installed.
    """
    if isinstance(config, FolderConfig):
        return folder_source(in_project(config.path))
    if isinstance(config, CsvConfig):
        folder = in_project(config.folder) if config.folder else None
        return CsvSource(in_project(config.path), folder, config.columns, config.download)
    if isinstance(config, ElpvConfig):
        return ElpvSource.find(config.threshold)
    if isinstance(config, KerasConfig):
        return KerasSource(config.name)
    return LibrarySource(HuggingFace(config) if isinstance(config, HuggingFaceConfig) else TensorFlowDatasets(config))


def folder_source(path: Path) -> FolderSource | ArchiveSource:
    """What reads the folder `path`, or the archive of one."""
    is_absent_archive = is_archive_name(path) and not os.path.lexists(path)
    return ArchiveSource(path) if is_file(path) or is_absent_archive else FolderSource(path)
