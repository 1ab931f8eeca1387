"""Networks of KerasHub by the name of a preset, with the scaling of pixels that belongs to them.

A preset is a folder with a network's configuration, its weights and its image converter; KerasHub downloads one that is
no folder here. The network is built again layer by layer, so that its blocks lie open and its pixels are scaled inside.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from frostline.errors import BackboneError, PackageError, WeightsError
from frostline.runtime.project import in_project
from frostline.text.words import one_line

__all__ = ["Preset", "open_preset", "preset_folder", "preset_network"]

_PIXELS = (((0.0, 64.0, 128.0), (255.0, 1.0, 200.0)),)


@dataclass(frozen=True)
class Preset:
    """What a preset is: its class, the side in pixels of its images, and `scale` and `offset` of pixels in 0..255.

    `fingerprint` is of all that decides what its network computes, beside the weights.
    """

    name: str
    architecture: str
    native_size: int
    scale: Any
    offset: Any
    fingerprint: str


def preset_folder(name: str) -> Path | None:
    """The folder that `name` means, if it is one and not a preset of a hub."""
    if "://" in name:
        return None
    folder = in_project(Path(name))
    return folder if folder.is_dir() else None


def open_preset(name: str) -> Preset:
    """What the preset called `name` is.

    Raises PackageError without KerasHub, WeightsError if it is neither there nor downloaded, and BackboneError if its
    pixels are scaled in a way that is not known here.
    """
    network, converter = _opened(name, load_weights=False), _converter(name)
    scale, offset = (1.0 if converter.scale is None else converter.scale), converter.offset or 0.0
    converter_size, converter.image_size = converter.image_size, None
    pixels = np.array(_PIXELS, dtype=np.float32)
    if not np.allclose(converter(pixels), pixels * np.asarray(scale) + np.asarray(offset), atol=1e-3):
        raise BackboneError(f"The preset {name} does more to pixels than to scale them, which frostline cannot repeat.")
    shape = getattr(network, "image_shape", None) or (None,)
    facts = [network.get_config(), scale, offset, version("keras-hub")]
    return Preset(
        name,
        type(network).__name__,
        int((converter_size or shape)[0] or 224),
        scale,
        offset,
        hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest(),
    )


def preset_network(preset: Preset, size: int, precision: str, *, load_weights: bool) -> Any:
    """Its network from RGB [N, size, size, 3] in 0..255 to feature maps, layer by layer.

    Raises BackboneError if it does not lead from one image to one feature map.
    """
    import keras

    network = _opened(preset.name, load_weights=load_weights, dtype=precision)
    ends = [*keras.tree.flatten(network.input), *keras.tree.flatten(network.output)]
    if [len(end.shape) for end in ends] != [4, 4] or getattr(network, "data_format", None) == "channels_first":
        raise BackboneError(
            f"The preset {preset.name} is a {preset.architecture}, which has no chain of blocks from one image [N, S, "
            f"S, 3] to one feature map [N, h, w, C]: {' and '.join(str(tuple(end.shape)) for end in ends)}. "
            "Transformers such as ViT, and networks of several inputs or outputs, cannot be cut at blocks. Take a "
            "convolutional one, such as resnet_50_imagenet."
        )
    images = keras.Input((size, size, 3), name="images")
    scaled = keras.layers.Rescaling(preset.scale, preset.offset, dtype="float32", name="preset_scaling")(images)

    def call(layer: Any, *given: Any, **options: Any) -> Any:
        given, options = keras.tree.map_structure(lambda each: scaled if each is images else each, (given, options))
        return layer(*given, **options)

    try:
        built = keras.models.clone_model(network, input_tensors=_like(network.input, images), call_function=call)
        if load_weights:
            built.set_weights(network.get_weights())
    except Exception as error:  # each layer has its own way to refuse a size
        raise BackboneError(
            f"The preset {preset.name} cannot be built at {size} pixels ({one_line(error)}). Try image_size: native "
            f"({preset.native_size})."
        ) from error
    return keras.Model(images, keras.tree.flatten(built.output)[0])


def _like(structure: Any, tensor: Any) -> Any:
    import keras

    return keras.tree.map_structure(lambda _: tensor, structure)


def _opened(name: str, **options: Any) -> Any:
    hub = _hub()
    try:
        return hub.models.Backbone.from_preset(str(preset_folder(name) or name), **options)
    except Exception as error:  # KerasHub and its hubs each have their own way to fail
        raise WeightsError(
            f"The preset {name} cannot be opened ({one_line(error)}). It must be a name that KerasHub knows and can "
            "download, or a folder that backbone.save_to_preset(...) has written. Where there is no network, download "
            "it elsewhere and name the folder (docs/weights.md)."
        ) from error


def _converter(name: str) -> Any:
    hub = _hub()
    try:
        return hub.layers.ImageConverter.from_preset(str(preset_folder(name) or name))
    except Exception as error:
        raise WeightsError(
            f"The preset {name} does not say how its pixels are scaled ({one_line(error)}). Add its image converter: "
            f"keras_hub.layers.ImageConverter.from_preset(...).save_to_preset('{name}')."
        ) from error


def _hub() -> Any:
    try:
        import keras_hub
    except ImportError as error:
        raise PackageError(
            f"A preset needs KerasHub, which cannot be imported ({one_line(error)}): pip install 'frostline[presets]'."
        ) from error
    return keras_hub
