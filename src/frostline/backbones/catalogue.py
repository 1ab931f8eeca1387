"""The backbones that frostline knows by heart, and how any other Keras application is found by name."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from frostline.backbones.presets import Preset, open_preset
from frostline.config.schema import BackboneConfig
from frostline.errors import BackboneError

__all__ = ["CATALOGUE", "BackboneSpec", "application", "find_backbone", "resolve_image_size"]


@dataclass(frozen=True)
class BackboneSpec:
    """A Keras application without its top, or the network of a `preset` of KerasHub.

    `native_size` is the side in pixels that it was pretrained at, `minimum_size` the least that it takes.
    `preprocessing` says what the application's `preprocess_input` does to RGB in 0..255: `caffe` (BGR minus the
    ImageNet means), `tf` (to -1..1), `torch` (ImageNet means and deviations) or `inside` (nothing: the network's own
    first layers do it). `weights_file` is the ImageNet file in Keras's cache, `licence` the terms of its weights; both
    where they are known. Where a backbone's blocks end is not written down here but derived from its graph: see
    `frostline.backbones.blocks`.
    """

    name: str
    application: str
    native_size: int
    minimum_size: int
    preprocessing: str
    paper: str | None = None
    weights_file: str | None = None
    licence: str | None = None
    preset: Preset | None = None

    @property
    def architecture(self) -> str:
        """What it is known by, beside its weights and the image size."""
        return self.preset.fingerprint if self.preset else self.application


_KERNELS = "weights_tf_dim_ordering_tf_kernels_notop.h5"
_VGG = "Simonyan and Zisserman 2015, arXiv 1409.1556"
_RESNET = "He et al. 2016, arXiv 1512.03385"
_INCEPTION = "Szegedy et al. 2016, arXiv 1512.00567"
# As Keras's documentation of its applications says.
_OF_VGG = "released by the Visual Geometry Group, Oxford, under a Creative Commons Attribution licence"
_OF_RESNET = "released by Kaiming He under the MIT licence"
_OF_INCEPTION = "released under the Apache licence"

CATALOGUE = {
    spec.name: spec
    for spec in (
        BackboneSpec("vgg16", "VGG16", 224, 32, "caffe", _VGG, f"vgg16_{_KERNELS}", _OF_VGG),
        BackboneSpec("vgg19", "VGG19", 224, 32, "caffe", _VGG, f"vgg19_{_KERNELS}", _OF_VGG),
        BackboneSpec(
            "inceptionv3", "InceptionV3", 299, 75, "tf", _INCEPTION, f"inception_v3_{_KERNELS}", _OF_INCEPTION
        ),
        BackboneSpec("resnet50", "ResNet50", 224, 32, "caffe", _RESNET, f"resnet50_{_KERNELS}", _OF_RESNET),
        BackboneSpec("resnet101", "ResNet101", 224, 32, "caffe", _RESNET, f"resnet101_{_KERNELS}", _OF_RESNET),
        BackboneSpec("resnet152", "ResNet152", 224, 32, "caffe", _RESNET, f"resnet152_{_KERNELS}", _OF_RESNET),
    )
}

# What Keras's other constructors use but do not tell: sizes that are not 224 (native) and 32 (least).
_NATIVE_SIZES = {
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
    "InceptionResNetV2": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}
_MINIMUM_SIZES = {"InceptionResNetV2": 75, "Xception": 71}
_PREPROCESSING = {
    "densenet": "torch",
    "inception_resnet_v2": "tf",
    "mobilenet": "tf",
    "mobilenet_v2": "tf",
    "nasnet": "tf",
    "resnet_v2": "tf",
    "xception": "tf",
}


def find_backbone(name: str, config: BackboneConfig) -> BackboneSpec:
    """The backbone that `config.preset`, or `config.application`, or else `name` means.

    Letter case, `_` and `-` do not matter in names of applications.

    Raises BackboneError, naming the nearest, if neither the catalogue nor `keras.applications` has it.

    >>> find_backbone("Inception-v3", BackboneConfig()).application
    'InceptionV3'
    """
    if config.preset:
        preset = open_preset(config.preset)
        return BackboneSpec(
            preset.name, f"{preset.architecture} of {preset.name}", preset.native_size, 32, "inside", preset=preset
        )
    asked = config.application or name
    key = _key(asked)
    if key in CATALOGUE:
        return CATALOGUE[key]
    import keras

    applications = {_key(name): name for name in dir(keras.applications) if name[0].isupper()}
    if key in applications:
        name = applications[key]
        return BackboneSpec(
            key,
            name,
            _NATIVE_SIZES.get(name, 224),
            _MINIMUM_SIZES.get(name, 32),
            _PREPROCESSING.get(_module(getattr(keras.applications, name)), "inside"),
        )
    known = [*CATALOGUE, *sorted(set(applications) - set(CATALOGUE))]
    near = difflib.get_close_matches(key, known, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."
    raise BackboneError(f"No Keras application is called '{asked}' (backbones.{name} in params.yaml). {hint}")


def resolve_image_size(name: str, config: BackboneConfig) -> int:
    """The side in pixels at which the backbone sees images: its native one, or the number in `config`.

    Raises BackboneError if that number is below what the network takes.
    """
    if config.preset and config.image_size != "native":
        return config.image_size
    spec = find_backbone(name, config)
    if config.image_size == "native":
        return spec.native_size
    if config.image_size < spec.minimum_size:
        raise BackboneError(
            f"backbones.{name}.image_size in params.yaml must be native ({spec.native_size}) or at least "
            f"{spec.minimum_size} for {spec.application}, but got {config.image_size}."
        )
    return config.image_size


def application(spec: BackboneSpec) -> tuple[Callable[..., Any], Callable[[Any], Any]]:
    """Keras's constructor of `spec` and the `preprocess_input` that belongs to it."""
    import keras

    constructor = getattr(keras.applications, spec.application)
    return constructor, getattr(keras.applications, _module(constructor)).preprocess_input


def _module(constructor: Callable[..., Any]) -> str:
    """`vgg16` for the constructor defined in keras.src.applications.vgg16; keras.applications has one of that name."""
    return constructor.__module__.rpartition(".")[2]


def _key(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
