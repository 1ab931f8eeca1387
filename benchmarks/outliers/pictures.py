"""Familiar pictures and strange ones."""

import argparse
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.data.packed import PackedImages

from ..sets import SPLIT, digits, packed_sets
from ..training import changed

WORDS = ("the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not", "he")

Images = NDArray[np.uint8]


def data_sets(options: argparse.Namespace) -> dict[str, tuple[Config, PackedImages]]:
    """Packed images by the name of their set, with a config for them."""
    base = changed(load_config(), "stores", cache=options.work / "outliers-cache")
    sets = packed_sets(changed(base, "search", views=("identity",)), options)
    config, _ = sets["solar cells"]
    numbers = digits(options.image_size)
    numbers.index["split"] = np.where(np.arange(len(numbers.labels)) % 4, "train", "test")
    return sets | {"digits": (config, numbers)}


def tested(packed: PackedImages) -> NDArray[np.int64]:
    """The rows of test images, in an order drawn by lot."""
    return np.random.default_rng(SPLIT).permutation(np.flatnonzero(packed.index["split"] == "test"))


def strangers(name: str, asked: Mapping[str, Images], count: int) -> dict[str, Images]:
    """Pictures that a network of the set `name` has not learned, by their kind."""
    rng, own = np.random.default_rng(SPLIT), asked[name]
    side = own.shape[1]
    flat = rng.integers(0, 256, (count, 1, 1, 3)).astype(np.uint8)
    flat[::2] = flat[::2, ..., :1]  # every other one is grey
    return {other: images for other, images in asked.items() if other != name} | {
        "blank": np.broadcast_to(flat, (count, side, side, 3)),
        "noise": rng.integers(0, 256, (count, side, side, 3)).astype(np.uint8),
        "text": np.stack([page(rng, side) for _ in range(count)]),
        "inverted": 255 - own,
        "turned": np.rot90(own, axes=(1, 2)).copy(),
    }


def page(rng: np.random.Generator, side: int) -> Images:
    """A page of words."""
    image = Image.new("RGB", (600, 600), "white")
    draw = ImageDraw.Draw(image)
    for top in range(20, 580, 16):
        draw.text((30, top), " ".join(rng.choice(WORDS, 14)), fill="black")
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
