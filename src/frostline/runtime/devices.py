"""What networks run on: which accelerators there are, whether to compile with XLA, and how a batch is divided."""

import os
from functools import cache

from frostline.errors import ConfigError
from frostline.runtime.progress import say

__all__ = ["accelerators", "compile_with_xla", "compute_capability", "devices", "distribute", "divisible"]


def accelerators() -> tuple[str, ...]:
    """Of `devices`, the GPUs and TPUs."""
    return tuple(device for device in devices() if not device.startswith("cpu"))


@cache
def devices() -> tuple[str, ...]:
    """Keras's names of what the backend runs on: its accelerators, such as `gpu:0`, or `cpu:0` where it sees none.

    Raises ConfigError if it sees nothing to run on, as where it was told to use what is not there.
    """
    import keras

    try:
        return tuple(_torch_devices() if keras.backend.backend() == "torch" else keras.distribution.list_devices())
    except Exception as error:  # each backend has its own, and JAX an assertion
        raise ConfigError(
            f"{keras.backend.backend()} finds no device to run on: {' '.join(str(error).split()) or repr(error)}. "
            "Unset what chooses devices, such as JAX_PLATFORMS, or set it to cpu."
        ) from error


def _torch_devices() -> list[str]:
    """Of the kind that Keras puts tensors on: its distribution API does not know torch."""
    import keras
    import torch

    kind = keras.ops.zeros(()).device.type
    return [f"gpu:{number}" for number in range(torch.cuda.device_count())] if kind == "cuda" else [f"{kind}:0"]


def compute_capability() -> tuple[int, int] | None:
    """The lowest compute capability of the NVIDIA GPUs that the backend sees, such as (8, 0); None without one."""
    import keras

    found: list[tuple[int, int]] = []
    if keras.backend.backend() == "torch":
        import torch

        found = [torch.cuda.get_device_capability(number) for number in range(torch.cuda.device_count())]
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        found = [each["compute_capability"] for each in details if "compute_capability" in each]
    elif keras.backend.backend() == "jax":
        import jax

        versions = [getattr(device, "compute_capability", "") for device in jax.devices()]
        found = [
            (int(major), int(minor)) for major, _, minor in (str(each).partition(".") for each in versions) if minor
        ]
    return min(found, default=None)


def compile_with_xla() -> bool:
    """Whether networks are compiled with XLA.

    JAX does nothing else. TensorFlow's own CPU kernels (oneDNN) are faster than XLA's for convolutions, and bfloat16
    instructions are used by the former alone; on a GPU XLA fuses what would be many small kernels, but Keras refuses it
    while TensorFlow must be repeatable: set TF_DETERMINISTIC_OPS=0 to have it.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        return bool(accelerators()) and os.environ.get("TF_DETERMINISTIC_OPS") == "0"
    return str(keras.backend.backend()) == "jax"


def distribute() -> int:
    """Train on all accelerators of this machine, each on its part of every batch; give how many that is, 1 for none.

    Keras's distribution API does it on JAX, whose devices must be set before a network is built. On other backends one
    device is used, and that is said.
    """
    import keras

    found = accelerators()
    if len(found) < 2:
        return 1
    if keras.backend.backend() != "jax":
        say(
            f"{len(found)} accelerators are here, and {keras.backend.backend()} will use one: Keras distributes on "
            "JAX only. Install jax and set KERAS_BACKEND=jax to use them all."
        )
        return 1
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=list(found)))
    return len(found)


def divisible(length: int) -> int:
    """A batch's `length` raised to a multiple of the devices that it is divided among."""
    import keras

    distribution = keras.distribution.distribution()
    devices = 1 if distribution is None else distribution.device_mesh.devices.size
    return -(-length // devices) * devices
