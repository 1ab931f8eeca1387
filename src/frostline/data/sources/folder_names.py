"""Names that tell what is what: folders of other tasks than classification (annotations, folds), and pictures."""

import mimetypes
import re
from collections.abc import Iterable
from pathlib import PurePath

__all__ = ["are_folds", "is_annotations", "is_other_name", "is_picture_name", "is_pictures"]

_PICTURES = re.compile(r"(jpe?g|png)?(image|img|picture|pic|photo)s?")
_ANNOTATIONS = re.compile(
    r"(label|annotation|annot|mask|bbox|trimap|segmentation|segmap|xml|json)s?|meta|metadata|groundtruth|gt|imagesets"
)
_FOLD = re.compile(r"(k?fold|cv)\d+")


def is_pictures(name: str) -> bool:
    """Whether a folder of this name holds pictures, whatever their class: images, Photos, JPEGImages."""
    return _PICTURES.fullmatch(_plain(name)) is not None


def is_annotations(name: str) -> bool:
    """Whether a folder of this name holds what belongs to pictures: labels, masks, Annotations, ground_truth."""
    return _ANNOTATIONS.fullmatch(_plain(name)) is not None


def is_picture_name(name: str) -> bool:
    """Whether a file of this name is called like a picture."""
    return (mimetypes.guess_type(name, strict=False)[0] or "").startswith("image/")


def is_other_name(name: str) -> bool:
    """Whether a file of this name is called like something else than a picture; without an ending it is not."""
    return bool(PurePath(name).suffix) and not is_picture_name(name)


def are_folds(names: Iterable[str]) -> bool:
    """Whether these are two or more folds of a cross-validation: fold_1, fold_2."""
    plain = [_plain(name) for name in names]
    return len(plain) > 1 and all(_FOLD.fullmatch(name) for name in plain)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
