"""A network as LiteRT's `.tflite`, for phones: one picture at a time, with float32 or with rounded weights."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.errors import ExportError
from frostline.serving.forms.asking import interpreter_of
from frostline.serving.forms.choices import Precision
from frostline.serving.forms.packages import need_packages

__all__ = ["write_litert"]

_NEEDED = ("ai_edge_litert",)


def write_litert(network: Any, path: Path, precision: Precision, calibration: NDArray[np.uint8]) -> None:
    """Write `network` to `path`. Pixels go in and probabilities come out as float32, whatever the precision.

    With `int8` the ranges of activations are those that the pictures of `calibration`, [M, S, S, 3], show. Raises
    ExportError unless Keras runs on TensorFlow, PackageError.
    """
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise ExportError(
            f"A LiteRT file is made through TensorFlow, but Keras runs on {backend}: "
            "KERAS_BACKEND=tensorflow frostline export --format litert. With --format keras any backend will do."
        )
    need_packages("LiteRT", _NEEDED)
    path.write_bytes(_converted(_without_arcsinh(network), precision, calibration))


def _without_arcsinh(network: Any) -> Any:
    """The same network, and those in it, in operations that LiteRT has: the inverse hyperbolic sine is none of them."""
    from keras import layers, models, ops

    class AsLogarithm(layers.Layer):  # type: ignore[misc]
        """One layer with a name of its own: operations by themselves may get the names of others in the network."""

        def call(self, x: Any) -> Any:
            size = ops.abs(x)
            return ops.sign(x) * ops.log(size + ops.sqrt(size * size + 1))

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if isinstance(layer, models.Model):
            return _without_arcsinh(layer)(*inputs)
        if type(layer).__name__ != "Arcsinh":
            return layer(*inputs, **options)
        return AsLogarithm(dtype="float32", name=f"{layer.name}_as_logarithm")(*inputs)

    return models.clone_model(network, clone_function=lambda layer: layer, call_function=call)


def _converted(network: Any, precision: Precision, calibration: NDArray[np.uint8]) -> bytes:
    """The bytes of the file, for one picture at a time: over several views no number of pictures is left open."""
    import keras
    import tensorflow as tf

    def answer(images: Any) -> Any:
        return network(images, training=False)

    with TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint("serve", answer, [keras.InputSpec(shape=(1, *network.input_shape[1:]), dtype="float32")])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision == "int8":
            return _in_integers(converter, calibration)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def _in_integers(converter: Any, calibration: NDArray[np.uint8]) -> bytes:
    """Weights and feature maps as int8; vectors, which come after pooling, stay float32.

    Pooled features of one vector differ in size by orders of magnitude, but would share one step of 256
    (docs/results/exports.md).
    """
    import tensorflow as tf

    def examples() -> Iterator[list[NDArray[np.float32]]]:
        for square in calibration:
            yield [square[None].astype(np.float32)]

    tensors = interpreter_of(model_content=converter.convert()).get_tensor_details()
    vectors = [tensor["name"] for tensor in tensors if len(tensor["shape"]) < 4]
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # that TensorFlow's interpreter is old
        quantizer = tf.lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=examples,
            debug_options=tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=vectors),
        )
    return bytes(quantizer.get_nondebug_quantized_model())
