"""How many images a data set has, as far as its source tells before any of them is opened."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from frostline.config.schema import Config, PrepareConfig, TrainConfig
from frostline.config.types import PerClass
from frostline.data.sources import Record, open_source
from frostline.search.estimate import CellSize

__all__ = ["Counts", "count_images", "counts_of"]


@dataclass(frozen=True)
class Counts:
    """How many images there are of each class for training and of each for validation, and how many for the test."""

    training: Counter[str]
    validating: Counter[str]
    test: int

    @property
    def images(self) -> int:
        """All of them."""
        return self.training.total() + self.validating.total() + self.test

    def cell(self, per_class: PerClass, train: TrainConfig) -> CellSize:
        """The size of a cell of at most `per_class` images of each class, and of its folds.

        At least one image trains, whatever there is: that too few are there is for `prepare` and `train` to say.
        """
        share = {label: _share(count, per_class) for label, count in (self.training + self.validating).items()}
        trained = max(1, round(sum(count * share[label] for label, count in self.training.items())))
        given = round(sum(count * share[label] for label, count in self.validating.items()))
        images = trained + given
        if given:
            return CellSize(images, trained)
        if images > train.folds_up_to:
            return CellSize(images, max(1, images - round(images * train.validation_fraction)))
        repeats = train.repeats if images <= train.repeats_up_to else 1
        return CellSize(images, images - images // train.folds, train.folds, repeats)


def count_images(config: Config, dataset: str) -> Counts | None:
    """The counts of a data set; None if its files are not on this machine yet. Raises DataError as its source does."""
    source = open_source(config.dataset(dataset))
    return None if source.to_fetch() else counts_of(source.records(), config.prepare)


def counts_of(records: Sequence[Record], prepare: PrepareConfig) -> Counts:
    """The counts of a source's `records`, the test split that `prepare` will draw among them."""
    of: dict[str, Counter[str]] = {"train": Counter(), "val": Counter(), "test": Counter()}
    for record in records:
        of[record.split or "train"][record.label] += 1
    training, test = of["train"], of["test"].total()
    if not test:
        drawn = Counter({label: round(count * prepare.test_fraction) for label, count in training.items()})
        training, test = training - drawn, drawn.total()
    return Counts(training, of["val"], test)


def _share(count: int, per_class: PerClass) -> float:
    return 1.0 if per_class == "all" else min(1.0, per_class / count)
