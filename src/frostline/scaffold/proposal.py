"""What a new project begins with, from what a look at its images showed."""

import re
from dataclasses import dataclass

from frostline.backbones.catalogue import CATALOGUE, BackboneSpec
from frostline.backbones.imagenet import local_weights

__all__ = ["Proposal", "dataset_name", "image_size", "known_backbone"]

_STEP = 32
_WITHOUT_GPU = 128


@dataclass(frozen=True)
class Proposal:
    """A data set (its keys in params.yaml by `dataset`, its name), a backbone with an image size, and why (`notes`)."""

    name: str
    dataset: dict[str, str]
    backbone: str
    image_size: int
    notes: tuple[str, ...] = ()


def dataset_name(name: str) -> str:
    """What a data set is called that lies in a folder or file of this name, as far as params.yaml allows it.

    >>> dataset_name("Röntgen 2024")
    'R_ntgen_2024'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:64] or "my_images"


def known_backbone() -> BackboneSpec:
    """The first backbone of the catalogue whose weights are on this machine; VGG16 if none is."""
    return next((spec for spec in CATALOGUE.values() if local_weights(spec)), next(iter(CATALOGUE.values())))


def image_size(side: float | None, spec: BackboneSpec, *, accelerated: bool) -> tuple[int, str]:
    """The pixels a side that a network is to see of pictures whose shorter side has `side` pixels, and why.

    No more than the pictures have, in steps of 32, nor than the network was pretrained at; without an accelerator no
    more than 128, with which a study takes minutes. `side` is None where nobody has looked.

    >>> [image_size(300, CATALOGUE["vgg16"], accelerated=accelerated)[0] for accelerated in (False, True)]
    [128, 224]
    """
    most = spec.native_size if accelerated else max(_WITHOUT_GPU, spec.minimum_size)
    why = f"what {spec.application} was pretrained at" if accelerated else "without a GPU more pixels take long"
    if side is None:
        return most, f"{why}; the pictures were not looked at"
    own = max(_STEP, int(side) // _STEP * _STEP)
    if own < spec.minimum_size:
        most, why = spec.minimum_size, f"the least that {spec.application} takes"
    elif own <= most:
        most, why = own, "the pictures have no more"
    return most, f"{why}; their shorter side has {side:.0f}"
