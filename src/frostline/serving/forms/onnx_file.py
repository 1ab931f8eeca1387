"""A network as ONNX."""

from pathlib import Path
from typing import Any

from frostline.errors import ExportError
from frostline.serving.forms.packages import need_packages

__all__ = ["write_onnx"]

_NEEDED = ("onnx", "onnxruntime", "tf2onnx")


def write_onnx(network: Any, path: Path) -> None:
    """Write `network`, which was called before, to `path`. Raises ExportError on JAX, PackageError."""
    import keras

    if keras.backend.backend() == "jax":
        raise ExportError(
            "From JAX there is no way to ONNX but through TensorFlow: KERAS_BACKEND=tensorflow frostline export. "
            "With --format keras any backend will do."
        )
    need_packages("ONNX", _NEEDED)
    network.export(str(path), format="onnx", verbose=False)
    _drop_unused_inputs(path)


def _drop_unused_inputs(path: Path) -> None:
    """tf2onnx lists constants of Keras's preprocessing as inputs, though it has folded them into the graph."""
    import onnx

    model = onnx.load(str(path))
    used = {name for node in model.graph.node for name in node.input}
    for given in list(model.graph.input):
        if given.name not in used:
            model.graph.input.remove(given)
    onnx.save(model, str(path))
