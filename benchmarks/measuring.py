"""What every benchmark says of the machine it ran on, and how it asks, times, writes and prints.

`machine()` names hardware and versions for the columns of a CSV file, `describe()` puts them on one line under a
printed table. `interleaved` times things that are compared in turn (A, B, A, B …), because other work on a machine
comes and goes: what one round suffers, all of them suffer.
"""

import argparse
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import psutil

from frostline.runtime.devices import accelerators
from frostline.runtime.progress import say
from frostline.tracking.lineage import lineage_tags

RESULTS = Path("docs/results")
WORK = Path(".cache/benchmarks")  # on the disk that the prefix cache is on by default
SMALLEST = Path(".cache/smallest")
BFLOAT16_FLAGS = ("avx512f", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True)
class Option:
    """A command-line option: its default, and the one it has under `--smallest` (None: the same).

    A default of False makes it a switch, a list one that takes several values; `kind` is needed where it tells none.
    """

    default: Any = None
    smallest: Any = None
    kind: Callable[[str], Any] | None = None
    choices: Sequence[str] | None = None
    required: bool = False
    help: str | None = None

    def add(self, parser: argparse.ArgumentParser, name: str, smallest: bool) -> None:
        default = self.smallest if smallest and self.smallest is not None else self.default
        told: dict[str, Any] = {"default": default, "help": self.help}
        if self.default is False:
            told["action"] = "store_true"
        else:
            several = isinstance(self.default, (list, tuple))
            told["type"] = self.kind or type(self.default[0] if several else self.default)
            told |= {
                "choices": self.choices,
                "required": self.required and not smallest,
                "nargs": "+" if several else None,
            }
        parser.add_argument(f"--{name.replace('_', '-')}", **told)


def parse(doc: str | None, **options: Option) -> argparse.Namespace:
    """The command line: the benchmark's own `options`, `--smallest`, and `--output`, a folder; and `work`, another one.

    Both folders are made. What a benchmark keeps for its next run is in `work`.
    """
    smallest = "--smallest" in sys.argv
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, option in options.items():
        option.add(parser, name, smallest)
    parser.add_argument("--output", type=Path, help="the folder of what it writes, else docs/results")
    parser.add_argument("--smallest", action="store_true", help="see that it runs, in .cache/smallest unless --output")
    found = parser.parse_args()
    if smallest and not found.output:
        shutil.rmtree(SMALLEST, ignore_errors=True)  # rows that are there would be kept
    found.output = (found.output or (SMALLEST if smallest else RESULTS)).resolve()
    found.work = (found.output / "work" if smallest else WORK).resolve()
    for folder in (found.output, found.work):
        folder.mkdir(parents=True, exist_ok=True)
    return found


@dataclass(frozen=True)
class Timing:
    """Seconds of each repeat of one thing."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    def rate(self, items: float) -> tuple[float, float, float]:
        """Items per second when a repeat handles `items`: median, lowest, highest."""
        return items / self.median, items / max(self.seconds), items / min(self.seconds)

    def ratio(self, other: "Timing") -> float:
        """How many times as long as `other` this takes: the median over rounds that both were timed in."""
        return median(mine / its for mine, its in zip(self.seconds, other.seconds, strict=True))


def interleaved(calls: Mapping[Any, Callable[[], object]], repeats: int) -> dict[Any, Timing]:
    """Time each of `calls` once a round, over so many rounds, after one that is not counted.

    That one traces, allocates, and reads what is then there.
    """
    seconds: dict[Any, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(values[1:])) for name, values in seconds.items()}


class Timed:
    """Stands for another object, and adds up the seconds in its methods."""

    def __init__(self, of: object) -> None:
        self._of = of
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._of, name)
        return partial(self._call, value) if callable(value) else value

    def _call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return method(*arguments, **options)
        finally:
            self.seconds += time.perf_counter() - started


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` gives in a process of its own: no graph, memory or file that another call left."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def process_megabytes(field: str) -> float:
    """A size in /proc/self/status, such as VmRSS (now), VmHWM (peak) or RssAnon (without mapped files); Linux only."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{field}:"))


def append(rows: Sequence[Mapping[str, object]], file: Path) -> None:
    """Add `rows` to a CSV file as a benchmark goes on: an interrupted one keeps what it has measured."""
    if not rows:
        return
    table = pd.DataFrame(rows)
    if file.exists() and list(pd.read_csv(file, nrows=0)) != list(table):
        raise SystemExit(f"{file} has other columns: another version wrote it. Give another --output.")
    table.to_csv(file, mode="a", header=not file.exists(), index=False)


def record(row: Mapping[str, object], file: Path) -> None:
    """Say a row, and add it to a CSV file."""
    say(", ".join(f"{name}={value}" for name, value in row.items()))
    append([row], file)


def finished(file: Path, key: Sequence[str]) -> set[tuple[object, ...]]:
    """The values of `key` of the rows that are there."""
    return set(pd.read_csv(file)[list(key)].itertuples(index=False, name=None)) if file.exists() else set()


def spread(values: "pd.Series[float]", places: int) -> str:
    """The mean with the lowest and the highest, to so many places; one number where these are alike, none of none."""
    if values.isna().all():
        return ""
    low, mean, high = (f"{value:.{places}f}" for value in (values.min(), values.mean(), values.max()))
    return mean if low == high else f"{mean} ({low} to {high})"


def markdown_table(frame: pd.DataFrame) -> str:
    """`frame` without its index. pandas' own `to_markdown` needs a package that frostline does not ask for."""
    rows = [frame.columns, ["---"] * len(frame.columns), *frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join("" if pd.isna(cell) else str(cell) for cell in row) + " |" for row in rows)


def machine() -> dict[str, str]:
    """Hardware and versions by column name. Reads what Keras runs on, so call it once the backend is chosen."""
    tags = lineage_tags()
    backend = tags["keras_backend"]
    return {
        "cpu": _cpu("model name") or platform.processor() or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "cpu_flags": " ".join(flag for flag in BFLOAT16_FLAGS if flag in _cpu("flags").split()) or "none of interest",
        "memory_gb": f"{psutil.virtual_memory().total / 2**30:.0f}",
        "gpu": ", ".join(_gpus(backend)) or "none",
        "python": tags["version.python"],
        "keras": tags["version.keras"],
        "backend": f"{backend} {tags[f'version.{backend}']}",
        "frostline": tags.get("git_commit", "unknown")[:7] + "+" * (tags.get("git_dirty") == "true"),
    }


def describe() -> str:
    """The same on one line."""
    facts = machine()
    cpu = f"{facts['cores']} cores of {facts['cpu']} ({facts['cpu_flags']}), {facts['memory_gb']} GB"
    software = f"Python {facts['python']}, Keras {facts['keras']} on {facts['backend']}, frostline {facts['frostline']}"
    return f"{cpu}, GPU: {facts['gpu']}; {software}"


def _cpu(field: str) -> str:
    """The first value of `field` in /proc/cpuinfo, or nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _gpus(backend: str) -> Sequence[str]:
    """The model of each GPU on TensorFlow; Keras itself tells no more than `gpu:0`."""
    if backend != "tensorflow":
        return accelerators()
    import tensorflow as tf

    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [str(each["device_name"]) for each in details]
