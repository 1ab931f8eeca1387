"""What a backbone's channels look like on the data that it was pretrained on.

Two sources. A file made from a sample of that data (`scripts/make_reference.py`) says it best: at the same image sizes,
under the same resize. Otherwise BatchNorm's moving statistics, which the weights carry: they were taken over augmented
training crops at the native size, so that even the original data lies at some distance from them.
"""

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.surgery import Backbone
from frostline.errors import ArtifactError
from frostline.files.atomic import atomic_file
from frostline.regimes.activations import Activations, batchnorms

__all__ = ["FOLDER", "Reference", "channel_moments", "find_reference", "write_references"]

FOLDER = Path(__file__).parent / "references"
"""Where reference files are looked for; each belongs to the one set of weights that it was made with."""


@dataclass(frozen=True)
class Reference:
    """Mean and variance of each channel, [C] float64 per measured layer, and where they come from in words.

    `kind` is the key of `profile.similar_up_to` for it. `image_size` is what a sample's were taken at, if it is known;
    BatchNorm's hold for the network's native size.
    """

    means: tuple[NDArray[np.float64], ...]
    variances: tuple[NDArray[np.float64], ...]
    source: str
    kind: Literal["sample", "batchnorm"] = "sample"
    image_size: int | None = None


def find_reference(backbone: Backbone, folder: Path = FOLDER) -> Reference | None:
    """The reference of `backbone`'s weights: a file's, at the image size nearest to its own, or else BatchNorm's.

    None for random weights, which have no original data, and for weights that no file was made with and whose network
    has no BatchNorm, or none that was ever trained. Raises ArtifactError for a file that is no reference.
    """
    if backbone.weights.source == "random":
        return None
    for file in sorted(folder.glob("*.npz")):
        try:
            with np.load(file) as stored:
                provenance = json.loads(str(stored["provenance"]))
                if provenance["weights"] == backbone.weights.sha256:
                    return _from_file(stored, provenance, backbone.image_size)
        except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error, zipfile.BadZipFile) as error:
            raise ArtifactError(
                f"{file} is not a reference file: {type(error).__name__}: {error}. References are made by "
                "scripts/make_reference.py; remove the file, or make it again."
            ) from None
    return _from_batchnorm(backbone)


def channel_moments(
    activations: Activations,
) -> tuple[tuple[NDArray[np.float64], ...], tuple[NDArray[np.float64], ...]]:
    """Means and variances of each layer's channels over all images and positions, [C] per layer."""
    means = tuple(mean.mean(axis=0, dtype=np.float64) for mean in activations.means)
    squares = tuple(square.mean(axis=0, dtype=np.float64) for square in activations.squares)
    return means, tuple(np.maximum(square - mean**2, 0) for mean, square in zip(means, squares, strict=True))


def write_references(file: Path, by_size: dict[int, Activations], provenance: dict[str, Any]) -> None:
    """Write the statistics of one sample at several image sizes; `provenance` must name the `weights` (SHA-256)."""
    moments = {size: channel_moments(activations) for size, activations in by_size.items()}
    arrays: dict[str, Any] = {"provenance": json.dumps(provenance)}
    for size, (means, variances) in moments.items():
        arrays["channels"] = [len(mean) for mean in means]
        arrays[f"mean_{size}"] = np.concatenate(means).astype(np.float32)
        arrays[f"variance_{size}"] = np.concatenate(variances).astype(np.float32)
    with atomic_file(file) as path:
        np.savez_compressed(path, **arrays)


def _from_file(stored: Any, provenance: dict[str, Any], image_size: int) -> Reference:
    sizes = [int(name.removeprefix("mean_")) for name in stored.files if name.startswith("mean_")]
    nearest = min(sizes, key=lambda size: abs(np.log(size / image_size)))
    ends = np.cumsum(stored["channels"])[:-1]
    return Reference(
        _split(stored[f"mean_{nearest}"], ends),
        _split(stored[f"variance_{nearest}"], ends),
        f"{provenance['images']} images of {provenance['data']} at {nearest} pixels",
        image_size=nearest,
    )


def _split(values: NDArray[np.float32], ends: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    return tuple(np.split(values.astype(np.float64), ends))


def _from_batchnorm(backbone: Backbone) -> Reference | None:
    import keras

    layers = batchnorms(backbone)
    if not layers:
        return None

    def numbers(variable: Any) -> NDArray[np.float64]:
        return np.asarray(keras.ops.convert_to_numpy(variable), dtype=np.float64)

    means = tuple(numbers(layer.moving_mean) for layer in layers)
    variances = tuple(numbers(layer.moving_variance) for layer in layers)
    if not any(map(np.any, means)) and all((each == 1).all() for each in variances):
        return None  # as they are before any training
    return Reference(means, variances, "BatchNorm's moving statistics in the weights", "batchnorm")
