"""Has every class enough usable images, and some to train and to test on?"""

from collections import Counter

import pandas as pd

from frostline.config.schema import PrepareConfig
from frostline.data.sources import Record
from frostline.errors import DataError
from frostline.text.phrases import counted, listed
from frostline.text.words import visible

__all__ = ["check_counts", "check_splits"]

_EXAMPLES = 3  # of images, and
_FAULTS = 12  # of classes, in an error


def check_counts(
    counts: dict[str, int], images: pd.DataFrame, quarantine: pd.DataFrame, prepare: PrepareConfig
) -> None:
    """Raise DataError if a class of `counts`, its files, has too few of the usable `images`; say what became of them.

    `quarantine` has the columns image, reason, detail and label.
    """
    if images.empty and set(quarantine["reason"]) == {"missing"}:
        raise DataError(
            f"None of the {counted(len(quarantine), 'file')} is there; the first would be "
            f"{visible(quarantine['image'].iloc[0])}. Of a table (source: csv) let `folder` under datasets in "
            "params.yaml name the folder that its paths start from."
        )
    usable = Counter(images["label"])
    faults = []
    for label, count in sorted(counts.items()):
        if usable[label] >= prepare.min_images_per_class:
            continue
        rejected = quarantine[quarantine["label"] == label]
        reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(Counter(rejected["reason"]).items()))
        examples = "; ".join(visible(f"{row.image}: {row.detail}") for row in rejected.head(_EXAMPLES).itertuples())
        why = f" Left out: {reasons}, for example {examples}." if reasons else ""
        if not count:
            why = " Its folder holds no pictures: remove it if there is no such class."
        faults.append(f"Class '{visible(label)}' has {usable[label]} usable images of {count}.{why}")
    if faults:
        raise DataError(
            f"Too few images: prepare.min_images_per_class in params.yaml asks for at least "
            f"{prepare.min_images_per_class} usable ones in each class. Mend or add images, or lower it.\n"
            + "\n".join(faults[:_FAULTS])
            + (f"\nAnd {len(faults) - _FAULTS} more classes." if len(faults) > _FAULTS else "")
        )


def check_splits(manifest: pd.DataFrame, records: list[Record], prepare: PrepareConfig) -> None:
    """Raise DataError if a class of the finished `manifest`, made from `records`, has no image to train or test on."""
    counts = pd.crosstab(manifest["label"], manifest["split"])
    for split in ("train", "test"):
        absent = [label for label in counts.index if split not in counts or not counts.loc[label, split]]
        if not absent:
            continue
        if split == "train" or any(record.split == "test" for record in records):
            cause = (
                "The source's own splits leave none that can be used: add images there, or take its test split away, "
                "and one is drawn"
            )
        else:
            cause = (
                "All images of the class form one group, of near duplicates or by the source's column group. If they "
                f"are not alike, lower prepare.near_duplicate_bits (now {prepare.near_duplicate_bits}) in params.yaml; "
                "null looks for none"
            )
        raise DataError(
            f"No {split} images for the class(es) {listed(absent)}. Every class needs some in "
            f"train and in test. {cause}."
        )
