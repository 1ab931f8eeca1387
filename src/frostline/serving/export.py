"""Take a version out of the registry, as Keras or ONNX, and hold it to what the version itself answers."""

import shutil
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.viewed import images_at_once, views_in
from frostline.data.images import load_square, quiet_decoders
from frostline.data.levels import Levels
from frostline.errors import DataError, ExportError, ImageError, PackageError
from frostline.files.atomic import atomic_file
from frostline.registry.models import LoadedVersion
from frostline.runtime.progress import track

__all__ = ["TOLERANCE", "Comparison", "Format", "export"]

Format = Literal["keras", "onnx"]
TOLERANCE = 1e-3
_NEEDED = ("onnx", "onnxruntime", "tf2onnx")


class Comparison(NamedTuple):
    """The largest difference of a probability, and the pictures that it was looked for in."""

    difference: float
    images: int


Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def export(version: LoadedVersion, path: Path, form: Format, pictures: Sequence[Path]) -> Comparison:
    """Write the network of `version` to `path`, and compare it with the version on the files of `pictures`.

    The network takes pixels [N, S, S, 3] in 0..255 of pictures resized as the version's model_config says, and gives
    calibrated probabilities [N, K]. Pictures that the version cannot read are left out. Raises
    PackageError if a package is missing, DataError if a picture is gone, ExportError if none can be read, or labels
    differ or probabilities by more than 0.001: then nothing is written.
    """
    import keras

    network = keras.saving.load_model(version.network, compile=False)
    at_once = images_at_once(views_in(network))
    batches = [pictures[start : start + at_once] for start in range(0, len(pictures), at_once)]
    first = next((pixels for batch in batches if len(pixels := _pixels(version, batch))), None)
    if first is None:
        raise ExportError(f"{version.name} version {version.number} can read none of {len(pictures)} test images.")
    network.predict_on_batch(first)  # Keras exports only what was called
    difference, compared = 0.0, 0
    with atomic_file(path) as new:
        exported = {"keras": _keras, "onnx": _onnx}[form](version, network, new)
        for batch in track(batches, f"Comparing the {form} export, by batches", len(batches)):
            pixels = _pixels(version, batch)
            if not len(pixels):
                continue
            compared += len(pixels)
            expected, found = np.asarray(network.predict_on_batch(pixels)), exported(pixels)
            difference = max(difference, float(np.abs(expected - found).max()))
            if difference > TOLERANCE or (expected.argmax(axis=1) != found.argmax(axis=1)).any():
                raise ExportError(
                    f"The {form} export of {version.name} version {version.number} answers otherwise than the version: "
                    f"probabilities of test images differ by {difference:.2g}, where {TOLERANCE:g} is allowed. "
                    "Nothing was written."
                )
    return Comparison(difference, compared)


@quiet_decoders()
def _pixels(version: LoadedVersion, files: Sequence[Path]) -> NDArray[np.float32]:
    """`files`, but for those that cannot be read, as the network takes them: [n, S, S, 3] in 0..255."""
    config = version.model_config
    limits = {name: config[name] for name in ("min_side", "max_pixels")}
    levels = Levels.from_dict(config.get("levels", {}))
    squares = []
    for file in files:
        try:
            squares.append(load_square(file, config["image_size"], config["resize"], levels=levels, **limits))
        except ImageError as error:
            if error.reason != "missing":
                continue
            raise DataError(f"The test image {file} cannot be used now: {error}. Run `dvc repro`.") from error
    size = config["image_size"]
    return np.array(squares, dtype=np.float32).reshape(len(squares), size, size, 3)


def _keras(version: LoadedVersion, _: Any, path: Path) -> Predict:
    import keras

    shutil.copyfile(version.network, path)
    again = keras.saving.load_model(path, compile=False)
    return lambda pixels: np.asarray(again.predict_on_batch(pixels))


def _onnx(_: LoadedVersion, network: Any, path: Path) -> Predict:
    import keras

    if keras.backend.backend() == "jax":
        raise ExportError(
            "From JAX there is no way to ONNX but through TensorFlow: KERAS_BACKEND=tensorflow frostline export. "
            "With --format keras any backend will do."
        )
    missing = [package for package in _NEEDED if find_spec(package) is None]
    if missing:
        raise PackageError(f"ONNX needs packages that are not installed: pip install {' '.join(missing)}")
    import onnxruntime

    network.export(str(path), format="onnx", verbose=False)
    _drop_unused_inputs(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    if len(names) > 1:
        raise ExportError(f"The ONNX export asks for {', '.join(names)}, where pixels alone should do: export keras.")
    return lambda pixels: np.asarray(session.run(None, {names[0]: pixels})[0])


def _drop_unused_inputs(path: Path) -> None:
    """tf2onnx lists constants of Keras's preprocessing as inputs, though it has folded them into the graph."""
    import onnx

    model = onnx.load(str(path))
    used = {name for node in model.graph.node for name in node.input}
    for given in list(model.graph.input):
        if given.name not in used:
            model.graph.input.remove(given)
    onnx.save(model, str(path))
