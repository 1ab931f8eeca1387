"""What every benchmark says of the machine it ran on, and how it times and prints.

`machine()` names hardware and versions for the columns of a CSV file, `describe()` puts them on one line under a
printed table. `interleaved` times things that are compared in turn (A, B, A, B …), because other work on a machine
comes and goes: what one round suffers, all of them suffer.
"""

import importlib
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd

__all__ = ["Timing", "describe", "interleaved", "machine", "markdown_table", "timed"]

BFLOAT16_FLAGS = ("avx512f", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True)
class Timing:
    """Seconds of each repeat of one thing."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The shortest and the longest repeat."""
        return min(self.seconds), max(self.seconds)

    def rate(self, items: float) -> tuple[float, float, float]:
        """Items per second when a repeat handles `items`: median, lowest, highest."""
        shortest, longest = self.spread
        return items / self.median, items / longest, items / shortest

    def ratio(self, other: "Timing") -> float:
        """How many times as long as `other` this takes: the median over rounds that both were timed in."""
        return median(mine / its for mine, its in zip(self.seconds, other.seconds, strict=True))


def timed(call: Callable[[], object], repeats: int) -> Timing:
    """Time `call` so often, after one call that is not counted: it traces, allocates and reads what is then there."""
    return interleaved({"": call}, repeats)[""]


def interleaved(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Timing]:
    """Time each of `calls` once a round, over so many rounds, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(values[1:])) for name, values in seconds.items()}


def machine() -> dict[str, str]:
    """Hardware and versions by column name. Reads what Keras runs on, so call it once the backend is chosen."""
    import keras

    backend = keras.backend.backend()
    return {
        "cpu": _cpu("model name") or platform.processor() or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "cpu_flags": " ".join(flag for flag in BFLOAT16_FLAGS if flag in _cpu("flags").split()) or "none of interest",
        "memory_gb": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f}",
        "gpu": ", ".join(_gpus(backend)) or "none",
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": f"{backend} {importlib.import_module(backend).__version__}",
        "frostline": _commit(),
    }


def describe() -> str:
    """The same on one line."""
    facts = machine()
    cpu = f"{facts['cores']} cores of {facts['cpu']} ({facts['cpu_flags']}), {facts['memory_gb']} GB"
    software = f"Python {facts['python']}, Keras {facts['keras']} on {facts['backend']}, frostline {facts['frostline']}"
    return f"{cpu}, GPU: {facts['gpu']}; {software}"


def markdown_table(frame: pd.DataFrame) -> str:
    """`frame` without its index. pandas' own `to_markdown` needs a package that frostline does not ask for."""
    rows = [frame.columns, ["---"] * len(frame.columns), *frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join("" if pd.isna(cell) else str(cell) for cell in row) + " |" for row in rows)


def _cpu(field: str) -> str:
    """The first value of `field` in /proc/cpuinfo, or nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _gpus(backend: str) -> list[str]:
    """The model of each GPU; Keras itself tells no more than `gpu:0`."""
    import keras

    if backend == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        return [str(tf.config.experimental.get_device_details(device)["device_name"]) for device in devices]
    if backend == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    return [device for device in keras.distribution.list_devices() if not device.startswith("cpu")]


def _commit() -> str:
    """The commit of the folder this file is in, `+` where tracked files differ from it."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--abbrev=7", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()
