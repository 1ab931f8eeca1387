"""The most floating-point operations per second that a machine gives the backend, in one precision.

A network is convolutions and matrix products, so nothing it does runs faster than a large one of these alone. Each
probe repeats one operation on values that stay on the device; reading its answer, one number, costs nothing.
Operations are counted as `frostline.backbones.cost` counts them: two per kernel entry and output position. That
counts entries that fall on padding too, which engines skip: on maps of a few pixels (VGG16 at 32) it says too much.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from frostline.runtime.devices import accelerators

from ..measuring import interleaved

SIZES = {  # rows and columns of square matrices, maps in a batch, seconds of a call: long against the cost of calling
    "cpu": ((1024, 2048, 4096), 32, 0.3),
    "gpu": ((4096, 8192, 16384), 256, 0.3),
    "smallest": ((128,), 1, 0.01),
}
MAPS = ((56, 128), (28, 256), (14, 512))  # side and channels: VGG16's second to fourth block


@dataclass(frozen=True)
class Probe:
    """An operation in a compiled function, and the FLOPs of one call."""

    name: str
    call: Callable[[], object]
    flops: float


def highest(precision: str, repeats: int, kind: str | None) -> tuple[Probe, dict[str, float]]:
    """The probe with the highest median, and FLOP/s of all by name; `kind` of SIZES, or what this machine is of."""
    found = {probe.name: probe for probe in probes(precision, kind)}
    timings = interleaved({name: probe.call for name, probe in found.items()}, repeats)
    rates = {name: probe.flops / timings[name].median for name, probe in found.items()}
    return found[max(rates, key=rates.__getitem__)], rates


def probes(precision: str, kind: str | None) -> list[Probe]:
    """Matrix products and 3x3 convolutions of several sizes, under Keras's dtype policy `precision`."""
    import keras

    sides, batch, seconds = SIZES[kind or ("gpu" if accelerators() else "cpu")]
    probe = partial(_probe, precision, seconds)
    made = [probe(f"matrix product, {side} a side", (side, side), (side, side), keras.ops.matmul) for side in sides]
    for side, channels in MAPS:
        name = f"3x3 convolution, {batch} maps of {side} x {side} x {channels}"
        made.append(probe(name, (batch, side, side, channels), (3, 3, channels, channels), _convolve))
    return made


def _convolve(x: Any, kernel: Any) -> Any:
    import keras

    return keras.ops.conv(x, kernel, padding="same", data_format="channels_last")


def _probe(
    precision: str,
    seconds: float,
    name: str,
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    operation: Callable[[Any, Any], Any],
) -> Probe:
    import keras
    from keras import ops

    class Repeated(keras.layers.Layer):
        """`operation` as often as its input, a number [1, 1], says; each works on what the one before gave."""

        def build(self, _: Any) -> None:
            self.x = self.add_weight(shape=shape, initializer="random_normal")
            # Values keep their size over any number of operations: none become infinite, none so small that it is slow.
            deviation = 1 / math.sqrt(math.prod(kernel[:-1]))
            self.kernel = self.add_weight(shape=kernel, initializer=keras.initializers.RandomNormal(stddev=deviation))

        def call(self, rounds: Any) -> Any:
            kernel = ops.convert_to_tensor(self.kernel)
            x = ops.convert_to_tensor(self.x)
            x = ops.fori_loop(0, rounds[0, 0], lambda _, x: operation(x, kernel), x)
            return ops.reshape(ops.max(x), (1, 1))

    number = keras.Input((1,), dtype="int32")
    network = keras.Model(number, Repeated(dtype=precision)(number))

    def run(rounds: int) -> object:
        return network.predict_on_batch(np.full((1, 1), rounds, dtype=np.int32))

    once = interleaved({"": lambda: run(1)}, 1)[""].median
    rounds = math.ceil(seconds / once)
    return Probe(name, lambda: run(rounds), 2.0 * math.prod(kernel) * math.prod(shape[:-1]) * rounds)
