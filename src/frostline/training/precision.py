"""The one place that decides in which floating-point precision networks run."""

from pathlib import Path

__all__ = ["resolve_precision"]

_CPU_FLAGS_WITH_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


def resolve_precision(precision: str) -> str:
    """Keras's name of the dtype policy for `precision`.

    `auto` is `mixed_bfloat16` on a GPU or TPU and on a CPU with bfloat16 instructions, else `float32`; without those
    instructions bfloat16 is emulated and several times slower.
    """
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if _has_accelerator() or _cpu_has_bfloat16() else "float32"


def _has_accelerator() -> bool:
    import keras

    return any(not device.startswith("cpu") for device in keras.distribution.list_devices())


def _cpu_has_bfloat16() -> bool:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return bool(_CPU_FLAGS_WITH_BFLOAT16 & set(flags.partition(":")[2].split()))
