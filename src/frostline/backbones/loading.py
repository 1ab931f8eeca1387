"""Fill a network with the weights that params.yaml asks for."""

import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from frostline.backbones.catalogue import BackboneSpec
from frostline.backbones.fitting import Unfit, fill_from_stored
from frostline.backbones.foreign import refuse_foreign
from frostline.backbones.imagenet import fill_from_imagenet, three_ways
from frostline.backbones.stored import stored_networks
from frostline.backbones.weights import WeightsRecord, digest
from frostline.errors import WeightsError
from frostline.files.reading import reading
from frostline.runtime.project import in_project
from frostline.text.words import one_line

__all__ = ["load_weights", "weights_file"]

# What h5py and zipfile raise of odd bytes.
_DAMAGES = (
    *(OSError, LookupError, ValueError, TypeError, RuntimeError, EOFError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)


def load_weights(network: Any, spec: BackboneSpec, weights: str | None) -> WeightsRecord:
    """Fill a freshly built `network` of `spec` with `weights` and say what they are.

    `weights` is `imagenet`, a path to a file that Keras wrote (.weights.h5, .keras, .h5; of the network without its
    top, or of a model that has it with a top or within it), or None to leave the random initial values. No code in a
    file is run. The network of a preset was built with its weights.

    Raises WeightsError if they are not found or do not fit.
    """
    file = weights_file(weights)
    if spec.preset and weights:
        source = f"preset {spec.name}"
        if file:  # of another machine that opened the preset
            network.load_weights(file)
    elif file:
        source = _fill_from_file(network, spec, file)
    else:
        source = fill_from_imagenet(network, spec) if weights else "random"
    return WeightsRecord(source, digest(network))


def weights_file(weights: str | None) -> Path | None:
    """The file that `weights` of params.yaml names, there or not; None if it is `imagenet`, or random ones."""
    return None if weights in (None, "imagenet") else in_project(Path(weights))


def _fill_from_file(network: Any, spec: BackboneSpec, path: Path) -> str:
    with reading(path, WeightsError):
        there = path.exists()
    if not there:
        raise WeightsError(f"The weights file {path} of {spec.application} does not exist. {three_ways(spec)}")
    refuse_foreign(path, f"weights of {spec.application}")
    try:
        with stored_networks(path) as networks:
            fill_from_stored(network, networks)
    except Unfit as error:
        raise WeightsError(
            f"{path} does not hold weights of {spec.application} without its top ({len(network.weights)} tensors "
            f"expected): {error}. Name the application that it was saved from, or save that network's weights. "
            f"{three_ways(spec)}"
        ) from None
    except _DAMAGES as error:
        raise WeightsError(f"{path} is damaged or incomplete ({one_line(error)}). Get the file again.") from error
    return str(path)
