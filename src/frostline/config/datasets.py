"""Data sets as `params.yaml` names them: a class per kind of source."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from frostline.config.section import Section
from frostline.config.types import ViewSets

__all__ = [
    "Columns",
    "CsvConfig",
    "DatasetConfig",
    "ElpvConfig",
    "FolderConfig",
    "HuggingFaceConfig",
    "KerasConfig",
    "PictureColumns",
    "TfdsConfig",
]


def _is_label(value: object) -> object:
    several = isinstance(value, list | tuple)
    names = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(name, str) and name.strip() for name in names) or (several and len(set(names)) < 2):
        raise ValueError("must be the name of a column, or a list of two or more columns, one for each class")
    return tuple(names) if several else value


Column = Annotated[str, Field(min_length=1)]
LabelColumns = Annotated[str | tuple[str, ...], BeforeValidator(_is_label)]


class Columns(Section):
    """What a table calls the columns that are read. With several label columns, the one that holds 1 is the class."""

    image: Column = "image"
    label: LabelColumns = "label"
    split: Column = "split"
    group: Column = "group"

    @property
    def labels(self) -> tuple[str, ...]:
        """The label column, or all of them."""
        return self.label if isinstance(self.label, tuple) else (self.label,)

    @property
    def asked_for(self) -> tuple[str, ...]:
        """The columns that must be there: those of images and labels, and every one that `params.yaml` names."""
        others = [getattr(self, name) for name in ("split", "group") if name in self.model_fields_set]
        return (self.image, *self.labels, *others)

    @model_validator(mode="after")
    def _are_different(self) -> "Columns":
        names = [name.strip().casefold() for name in self.asked_for]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"must name each column once, but {', '.join(twice)} is named more than once")
        return self


class PictureColumns(Section):
    """What a data set of a library calls its pictures and their labels; null where it has one of each."""

    image: Column | None = None
    label: Column | None = None


class _Dataset(Section):
    """A data set. `views` are what its trials choose among, in place of `search.views`: symmetries are the data's."""

    views: ViewSets | None = None

    @property
    def origin(self) -> dict[str, Any]:
        """All that decides which pictures there are and how they are labelled, for JSON."""
        return self.model_dump(mode="json", exclude={"views"})


class FolderConfig(_Dataset):
    """A folder with a sub-folder per class, with or without `train/`, `val/` and `test/` above them; or an archive."""

    source: Literal["folder"]
    path: Path


class CsvConfig(_Dataset):
    """A table of pictures and labels, and optionally splits and groups; other columns are kept as they are.

    Paths start from `folder`, which may be an archive; null: from the table's own folder. `download` allows addresses.
    """

    source: Literal["csv"]
    path: Path
    folder: Path | None = None
    columns: Columns = Columns()
    download: bool = False

    @model_validator(mode="after")
    def _has_one_place(self) -> "CsvConfig":
        if self.download and self.folder:
            raise ValueError("folder and download exclude each other: downloaded pictures have a folder of their own")
        return self


class ElpvConfig(_Dataset):
    """Solar cells from the package `elpv-dataset`, `defective` at or above a defect probability."""

    source: Literal["elpv"]
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.5


class KerasConfig(_Dataset):
    """One of `keras.datasets` by name, for example `cifar10` (downloaded by Keras)."""

    source: Literal["keras"]
    name: Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]


class HuggingFaceConfig(_Dataset):
    """A data set of the Hugging Face Hub, or what else the package `datasets` can load by name."""

    source: Literal["huggingface"]
    name: Column
    config: Column | None = None
    revision: Column | None = None
    columns: PictureColumns = PictureColumns()


class TfdsConfig(_Dataset):
    """A data set of TensorFlow Datasets: `name`, `name:version` or `name/config:version`."""

    source: Literal["tfds"]
    name: Column
    columns: PictureColumns = PictureColumns()


DatasetConfig = Annotated[
    FolderConfig | CsvConfig | ElpvConfig | KerasConfig | HuggingFaceConfig | TfdsConfig, Field(discriminator="source")
]
