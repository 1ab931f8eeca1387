"""Data sets of the Hugging Face Hub, or of a folder, as the package `datasets` loads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.config.datasets import HuggingFaceConfig
from frostline.data.sources.library import Picture, package, split_of
from frostline.errors import DataError
from frostline.runtime.progress import say
from frostline.runtime.project import in_project
from frostline.text.phrases import counted, listed

__all__ = ["HuggingFace"]

_NO_LABEL = (None, -1)  # of test splits whose labels are kept secret


@dataclass(frozen=True)
class HuggingFace:
    """What `datasets.load_dataset` gives for `options`: the files of its pictures as they are, and their labels."""

    options: HuggingFaceConfig

    @property
    def title(self) -> str:
        """The data set, as a person may see it."""
        return f"The data set {self.options.name} of Hugging Face"

    def pictures(self) -> Iterator[Picture]:
        """Each picture that has a label. Raises PackageError, DataError, and what `datasets` raises."""
        datasets = package("datasets", "datasets", "huggingface")
        options = self.options
        local = in_project(Path(options.name))
        name = str(local.absolute()) if local.exists() else options.name
        unlabelled = 0
        for split, rows in datasets.load_dataset(name, options.config, revision=options.revision).items():
            if (split_name := split_of(split)) is None:
                continue
            image, label = self._columns(datasets, rows.features)
            kind = rows.features[label]
            for row in rows.select_columns([image, label]).cast_column(image, datasets.Image(decode=False)):
                if row[image] is None or row[label] in _NO_LABEL:
                    unlabelled += 1
                    continue
                content = row[image]["bytes"] or Path(row[image]["path"]).read_bytes()
                word = kind.int2str(row[label]) if isinstance(kind, datasets.ClassLabel) else str(row[label])
                yield Picture(content, word, split_name)
        if unlabelled:
            say(f"{self.title}: {counted(unlabelled, 'row')} without a picture or a label left out")

    def _columns(self, datasets: Any, features: Any) -> tuple[str, str]:
        chosen = self.options.columns
        images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
        labels = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
        image = self._column("image", chosen.image, images, features)
        label = self._column("label", chosen.label, labels or [name for name in features if name == "label"], features)
        if not isinstance(features[label], datasets.ClassLabel | datasets.Value):
            raise DataError(
                f"{self.title} has the column {label} of several values ({features[label]}). Expected one class for "
                "each picture: name another column under datasets in params.yaml, for example columns: {label: NAME}."
            )
        return image, label

    def _column(self, key: str, chosen: str | None, found: list[str], features: Any) -> str:
        if chosen in features:
            return str(chosen)
        if chosen is None and len(found) == 1:
            return found[0]
        what = f"has no column {chosen}" if chosen else f"does not say which column holds the {key}s"
        raise DataError(
            f"{self.title} {what}. Its columns are {listed(features)}. Name one under datasets in params.yaml, for "
            f"example columns: {{{key}: {next(iter([*found, *features]), 'NAME')}}}."
        )
