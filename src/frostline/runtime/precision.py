"""The one place that decides in which floating-point precision networks run."""

from pathlib import Path

from frostline.runtime.devices import accelerators, compute_capability

__all__ = ["resolve_precision"]

_CPU_FLAGS_WITH_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
_AMPERE = (8, 0)


def resolve_precision(precision: str) -> str:
    """Keras's name of the dtype policy for `precision`.

    `auto` is `mixed_bfloat16` on a TPU and on a GPU with bfloat16 instructions (NVIDIA from Ampere on, compute
    capability 8.0), `mixed_float16` on older NVIDIA GPUs. On a CPU it is `mixed_bfloat16` if that has the instructions
    and TensorFlow runs, whose kernels use them, else `float32`: emulated, bfloat16 is several times slower.
    """
    if precision != "auto":
        return precision
    if accelerators():
        capability = compute_capability()
        return "mixed_float16" if capability and capability < _AMPERE else "mixed_bfloat16"
    return "mixed_bfloat16" if _cpu_has_bfloat16() and _backend() == "tensorflow" else "float32"


def _backend() -> str:
    import keras

    return str(keras.backend.backend())


def _cpu_has_bfloat16() -> bool:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return bool(_CPU_FLAGS_WITH_BFLOAT16 & set(flags.partition(":")[2].split()))
