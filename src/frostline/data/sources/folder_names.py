"""Folder names that tell of other tasks than classification: pictures beside annotations, and folds."""

import re
from collections.abc import Iterable

__all__ = ["are_folds", "is_annotations", "is_pictures"]

_PICTURES = re.compile(r"(jpe?g|png)?(image|img|picture|pic|photo)s?")
_ANNOTATIONS = re.compile(
    r"(label|annotation|annot|mask|bbox|trimap|segmentation|segmap|xml|json)s?|metadata|groundtruth|gt|imagesets"
)
_FOLD = re.compile(r"(k?fold|cv)\d+")


def is_pictures(name: str) -> bool:
    """Whether a folder of this name holds pictures, whatever their class: images, Photos, JPEGImages."""
    return _PICTURES.fullmatch(_plain(name)) is not None


def is_annotations(name: str) -> bool:
    """Whether a folder of this name holds what belongs to pictures: labels, masks, Annotations, ground_truth."""
    return _ANNOTATIONS.fullmatch(_plain(name)) is not None


def are_folds(names: Iterable[str]) -> bool:
    """Whether these are two or more folds of a cross-validation: fold_1, fold_2."""
    plain = [_plain(name) for name in names]
    return len(plain) > 1 and all(_FOLD.fullmatch(name) for name in plain)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
