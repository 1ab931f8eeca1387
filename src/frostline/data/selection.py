"""Which of the readable images are used: each file once, under one label, and no group on two sides."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.data.duplicates import connect, near_duplicates

__all__ = ["group_images", "select"]

# Of the copies of one file, the one whose split comes first here is kept, so that a test set stays whole.
_PRIORITY = {"test": 0, "val": 1, "train": 2}

# A perceptual hash compares 64 frequencies with their median, so that half its bits are set. They are fewer where most
# frequencies are absent, and all the same for plain surfaces: such a hash says too little to call two pictures alike.
_FEWEST_BITS_SET = 16

_GROUP_DIGITS = 16  # of the smallest SHA-256 in the group: a name that does not depend on file names or order


def select(images: pd.DataFrame, bits: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The images to use, and the others as rows of (image, reason, detail).

    `images` has the columns image, label, split, source_group (None where the source gives none), sha256 and phash;
    `bits` None looks for no near duplicates. The first result has all its columns and `group` besides. Reasons, in the
    order in which they apply:

    - label_conflict: the same file under several labels; all its copies go, for nobody knows which one is right.
    - duplicate: the same file under the same label; of the copies a test image is kept rather than a validation
      image, that rather than a training image, and else the first by name.
    - split_leak: its group has images in a split that comes before its own in that order.
    """
    asides = []
    labels = images.groupby("sha256")["label"]
    conflict = labels.transform("nunique") > 1
    if conflict.any():
        names = labels.agg(lambda found: ", ".join(sorted(set(found))))
        asides.append(
            _aside(images[conflict], "label_conflict", "the same file is labelled " + images["sha256"].map(names))
        )
    images = images[~conflict]
    images = images.assign(group=group_images(images, bits), priority=images["split"].map(_PRIORITY))

    images = images.sort_values(["priority", "image"], kind="stable")
    kept = images.groupby("sha256")["image"].transform("first")
    copy = images.duplicated("sha256")
    asides.append(_aside(images[copy], "duplicate", "the same file as " + kept))
    images = images[~copy]

    groups = images.groupby("group")
    leak = images["priority"] > groups["priority"].transform("min")
    where = groups["split"].transform("first") + " image " + groups["image"].transform("first")
    asides.append(_aside(images[leak], "split_leak", "a near duplicate of, or grouped with, the " + where))
    images = images[~leak].drop(columns="priority").sort_values("image", kind="stable")
    return images.reset_index(drop=True), pd.concat(asides, ignore_index=True)


def group_images(images: pd.DataFrame, bits: int | None) -> pd.Series:
    """The group of each image: near duplicates (`bits` of the hash apart) and the source's own groups, merged."""
    hashes = images["phash"].to_numpy(np.uint64)
    components = np.arange(len(images))
    if bits is not None:
        telling = np.flatnonzero(np.bitwise_count(hashes) >= _FEWEST_BITS_SET)
        components = _merge(components, telling, near_duplicates(hashes[telling], bits))
    grouped = np.flatnonzero(images["source_group"].notna())
    components = _merge(components, grouped, pd.factorize(images["source_group"].iloc[grouped])[0])
    return images["sha256"].groupby(components).transform("min").str[:_GROUP_DIGITS]


def _merge(components: NDArray[np.int64], rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The components after those `rows` are linked that have the same of `numbers`."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    return connect(components, rows, rows[first[inverse]])


def _aside(images: pd.DataFrame, reason: str, detail: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"image": images["image"], "reason": reason, "detail": detail.loc[images.index]})
