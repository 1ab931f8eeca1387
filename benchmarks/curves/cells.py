"""The cells of the table: data sets of two classes at several sizes and seeds, with test images of their own."""

import argparse
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig, Config, ElpvConfig, FolderConfig
from frostline.config.types import ViewSet
from frostline.data.arrays import Rows
from frostline.data.packed import PackedImages
from frostline.training.cell import Cell, make_cell
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

from ..similarity import LAST_ANIMAL
from ..training import BACKBONE, changed, pack

_DIGIT_SIDE = 32


@dataclass(frozen=True)
class CellKey:
    """A data set, so many images a class, and the seed of split, cell, weights and order."""

    dataset: str
    per_class: int
    seed: int

    def __str__(self) -> str:
        return f"{self.dataset}-{self.per_class}-{self.seed}"


@dataclass(frozen=True)
class DataSet:
    """Where pictures are, the views that leave their labels true, and whether like ones are kept together."""

    source: FolderConfig | ElpvConfig
    views: ViewSet
    duplicates: bool = True


def data_sets(options: argparse.Namespace) -> Mapping[str, DataSet]:
    """Those whose pictures are at hand. Digits are even or odd, ImageNet's sample shows animals or things."""
    sets = {"digits": DataSet(_folder(_digits(options.work / "digits", options.digits)), "identity", duplicates=False)}
    if options.smallest:
        return sets
    sets["solar_cells"] = DataSet(ElpvConfig(source="elpv"), "mirror")
    if options.dogs_cats:
        sets["dogs_cats"] = DataSet(_folder(options.dogs_cats), "mirror")
    if options.imagenet_sample:
        folder = _animals_things(options.work / "animals_things", options.imagenet_sample)
        sets["animals_things"] = DataSet(_folder(folder), "mirror")
    return sets


def cell_keys(options: argparse.Namespace, sets: Mapping[str, DataSet]) -> list[CellKey]:
    """The cells that were asked for, of data sets that are at hand: balanced wherever one stops."""
    return [
        CellKey(name, size, seed)
        for size in options.sizes
        for seed in options.seeds
        for name in options.sets
        if name in sets
    ]


def make_trainer(key: CellKey, data: DataSet, options: argparse.Namespace) -> tuple[Trainer, Rows]:
    """What trains on a cell, and the rows that it is tested on: of each class as many, drawn from the test split."""
    config = _config(key, data, options)
    packed = pack(config, key.dataset, options.work, few=False)
    test = _test_rows(packed, options.test_images, key.seed)
    cell = make_cell(packed, key.per_class, config.train, key.seed)
    tested = _TestedCell(cell.packed, cell.rows, cell.repeats, test)
    setup = _TestedSetup(
        tested, BACKBONE, config.backbone(BACKBONE), config.train, PrefixCache.of(config.stores), key.seed
    )
    return Trainer(setup), test


@dataclass(frozen=True)
class _TestedCell(Cell):
    """A cell whose activations are cached together with those of its test images."""

    test: Rows

    @property
    def all_rows(self) -> Rows:
        return np.union1d(super().all_rows, self.test)


class _TestedSetup(Setup):
    def class_weights(self) -> NDArray[np.float32]:
        """Of the images that are trained on alone."""
        counts = np.bincount(self.cell.packed.labels[self.cell.rows], minlength=len(self.cell.packed.classes))
        return np.asarray(counts.sum() / (len(counts) * counts), dtype=np.float32)


def _config(key: CellKey, data: DataSet, options: argparse.Namespace) -> Config:
    config = changed(load_config(), "stores", cache=options.work / "curves-cache")
    config = changed(config, "train", epochs=options.epochs, patience=options.patience, folds=options.folds)
    if not data.duplicates:
        config = changed(config, "prepare", near_duplicate_bits=None)
    backbone = BackboneConfig(image_size=options.image_size, weights=None if options.smallest else "imagenet")
    return config.model_copy(
        update={"seed": key.seed, "datasets": {key.dataset: data.source}, "backbones": {BACKBONE: backbone}}
    )


def _test_rows(packed: PackedImages, count: int, seed: int) -> Rows:
    test = np.random.default_rng(seed).permutation(np.flatnonzero(packed.index["split"] == "test"))
    classes = range(len(packed.classes))
    sides = [test[packed.labels[test] == name][: count // len(packed.classes)] for name in classes]
    return np.sort(np.concatenate(sides))


def _folder(path: Path) -> FolderConfig:
    return FolderConfig(source="folder", path=path)


def _digits(folder: Path, count: int) -> Path:
    from sklearn.datasets import load_digits

    if not folder.exists():
        digits = load_digits()
        for number, (pixels, digit) in enumerate(zip(digits.images[:count], digits.target[:count], strict=True)):
            file = folder / ("odd" if digit % 2 else "even") / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray((pixels * (255 / 16)).astype(np.uint8))
            picture.resize((_DIGIT_SIDE, _DIGIT_SIDE), Image.Resampling.BICUBIC).save(file)
    return folder


def _animals_things(folder: Path, sample: Path) -> Path:
    for file in sorted(sample.iterdir()):
        link = folder / ("animal" if file.name[:9] <= LAST_ANIMAL else "thing") / file.name
        link.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process makes the same links
            link.symlink_to(file.resolve())
    return folder
