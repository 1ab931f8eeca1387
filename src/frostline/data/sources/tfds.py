"""Data sets of TensorFlow Datasets, as the package `tensorflow_datasets` downloads and prepares them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from frostline.config.datasets import TfdsConfig
from frostline.data.sources.library import Picture, package, split_of
from frostline.errors import DataError
from frostline.text.phrases import listed

__all__ = ["TensorFlowDatasets"]


@dataclass(frozen=True)
class TensorFlowDatasets:
    """What `tfds.builder` gives for `options`: the files of its pictures as they are, and their labels."""

    options: TfdsConfig

    @property
    def title(self) -> str:
        """The data set, as a person may see it."""
        return f"The data set {self.options.name} of TensorFlow Datasets"

    def pictures(self) -> Iterator[Picture]:
        """Each picture that has a label. Raises PackageError, DataError, and what `tensorflow_datasets` raises."""
        tfds = package("tensorflow_datasets", "tensorflow-datasets", "tfds")
        builder = self._builder(tfds)
        image, label = self._columns(tfds, builder.info)
        builder.download_and_prepare()
        kind = builder.info.features[label]
        for split in builder.info.splits:
            if (split_name := split_of(split)) is None:
                continue
            rows = builder.as_dataset(split=split, decoders={image: tfds.decode.SkipDecoding()}, shuffle_files=False)
            for row in tfds.as_numpy(rows):
                yield Picture(row[image], _word(tfds, kind, row[label]), split_name)

    def _builder(self, tfds: Any) -> Any:
        try:
            return tfds.builder(self.options.name)
        except tfds.core.registered.DatasetNotFoundError as error:
            raise DataError(
                f"TensorFlow Datasets has no data set {self.options.name}. {_suggestion(str(error))}Mend `name` under "
                "datasets in params.yaml."
            ) from None

    def _columns(self, tfds: Any, info: Any) -> tuple[str, str]:
        features, chosen = info.features, self.options.columns
        keys = info.supervised_keys or ("image", "label")
        image, label = chosen.image or keys[0], chosen.label or keys[1]
        for key, name in (("image", image), ("label", label)):
            if name not in features:
                raise DataError(
                    f"{self.title} has no column {name}. Its columns are {listed(features)}. Name one under "
                    f"datasets in params.yaml, for example columns: {{{key}: {next(iter(features), 'NAME')}}}."
                )
        if not isinstance(features[image], tfds.features.Image) or features[label].shape != ():
            raise DataError(
                f"{self.title} has {image} ({features[image]}) and {label} ({features[label]}). Expected pictures and "
                "one class for each: name other columns under datasets in params.yaml, or take another data set."
            )
        return image, label


def _word(tfds: Any, kind: Any, label: Any) -> str:
    if isinstance(kind, tfds.features.ClassLabel):
        return str(kind.int2str(int(label)))
    return label.decode() if isinstance(label, bytes) else str(label)


def _suggestion(error: str) -> str:
    found = re.search(r"Did you mean: \S+ -> (\S+)", error)
    return f"Did you mean '{found[1]}'? " if found else ""
