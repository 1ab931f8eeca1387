"""Data sets that several benchmarks train on, and the options that say how."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from frostline.config.schema import BackboneConfig, Config, ElpvConfig, FolderConfig
from frostline.data.packed import PackedImages

from .measuring import Option
from .training import BACKBONE, pack

SPLIT = 20
"""The seed of split, cell and search."""

DOGS_CATS = Option(kind=Path, help="the folder that holds cat/ and dog/")
OPTIONS = {
    "dogs_cats": DOGS_CATS,
    "image_size": Option(96, smallest=32, help="pixels"),
    "per_class": Option(250, smallest=8, help="images of a class"),
}


def packed_sets(base: Config, options: argparse.Namespace) -> dict[str, tuple[Config, PackedImages]]:
    """Solar cells, and dogs and cats where their folder is given: by name a config, made of `base`, and images."""
    sources: dict[str, ElpvConfig | FolderConfig] = {"solar cells": ElpvConfig(source="elpv")}
    if options.dogs_cats:
        sources["dogs and cats"] = FolderConfig(source="folder", path=options.dogs_cats)
    backbone = BackboneConfig(image_size=options.image_size, weights=None if options.smallest else "imagenet")
    base = base.model_copy(update={"seed": SPLIT, "backbones": {BACKBONE: backbone}})
    sets = {}
    for name, source in sources.items():
        key = name.replace(" ", "_")
        config = base.model_copy(update={"datasets": {key: source}})
        sets[name] = config, pack(config, key, options.work, few=options.smallest)
    return sets


def digits(size: int) -> PackedImages:
    """scikit-learn's 1,797 digits, enlarged."""
    found = load_digits()
    classes = tuple("0123456789")
    grey = np.kron(found.images * (255 / 16), np.ones((1, size // 8, size // 8))).astype(np.uint8)
    names = [f"{number:04}" for number in range(len(grey))]
    labels = found.target.astype(np.int64)
    index = pd.DataFrame({"image": names, "label": np.array(classes)[labels], "split": "train", "group": names})
    images = np.repeat(grey[..., None], 3, axis=3)
    return PackedImages(images, labels, index.assign(sha256=names), classes, size, "stretch", f"digits-{size}")
