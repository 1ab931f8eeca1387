"""Does memory stay flat over many trials, and does training work on more data than fits into it? Linux only.

    python benchmarks/memory.py --trials 50
    python benchmarks/memory.py --larger-than-memory

Both train VGG16 on noise at 32 pixels from random weights: memory depends on neither.

`--trials` runs a study of so many trials in one process: heads, the last block thawed, all blocks thawed, random
weights, each at several depths and poolings, shuffled, so that nearly every trial needs a graph that is not kept.
Writes the resident memory after each to `docs/results/memory.csv`, draws `memory.png`, and prints what a trial adds:
the slope of a straight line through the second half, with its standard error. Up to 2 MB counts as flat: 500 trials
then add 1 GB.

`--larger-than-memory` trains a head and a thawed block in a process whose memory is limited to what the same training
takes on 512 images, and `--room` more. Images and cached maps are twice as large as that limit. A cgroup (version 1, as
root) limits all memory, files that the system caches included; where none can be made, RLIMIT_DATA limits what the
process allocates, and no files. Prints a table.
"""

import argparse
import gc
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from frostline.runtime.environment import set_defaults

set_defaults()

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.lib.format import open_memmap

from frostline.cache.group import map_bytes
from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig, Config, SearchConfig
from frostline.data.packed import PackedImages, read_packed
from frostline.data.views import VIEW_SETS
from frostline.plots.style import INK, PALETTE, chart, legend
from frostline.runtime.progress import say
from frostline.search.space import guide_settings
from frostline.tracking.runs import Tracker
from frostline.training.cell import make_cell
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import Trainer
from machine import describe, machine, markdown_table
from regimes import BACKBONE, FOLDER
from scaling import changed, process_megabytes, search, stored_in

WORK = Path(".cache/memory")  # on the disk that the prefix cache is on by default
RESULTS = FOLDER / "memory.csv"
CGROUP = Path("/sys/fs/cgroup/memory") / f"frostline-{os.getpid()}"
SIZE = 32
FLAT = 2.0
TIMES = 2.0
KEEP, VIEWS = 2, "dihedral"  # of the thawed block: shallow maps are large, and cost little to train on
ROWS_AT_ONCE = 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--trials", type=int, default=50, help="6 or more")
    arguments.add_argument("--larger-than-memory", action="store_true")
    arguments.add_argument("--room", type=float, default=300, help="MB over what the process takes by itself")
    arguments.add_argument("--train-on", type=Path, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    WORK.mkdir(parents=True, exist_ok=True)
    if options.train_on:
        print(json.dumps(train_on(options.train_on)))
    elif options.larger_than_memory:
        larger_than_memory(options.room)
    else:
        many_trials(options.trials)


def many_trials(count: int) -> None:
    rows: list[dict[str, object]] = []
    with TemporaryDirectory(dir=WORK) as folder:
        packed = write_noise(Path(folder) / "packed", 64, SIZE)
        config = parameters(Path(folder), epochs=2, head_epochs=1)
        config = changed(config, "search", {"trials": count})
        trainer = make_trainer(packed, config)
        different = list(varied(config.search, trainer.backbone.depth))
        random.Random(config.seed).shuffle(different)
        trials = list(islice(cycle(different), count))

        def record(line: str) -> None:
            gc.collect()
            resident = round(process_megabytes("VmRSS"), 1)
            settings = trials[len(rows)]
            what = {"kind": kind_of(settings), "keep": settings.keep, "pooling": settings.pooling}
            rows.append({"trial": len(rows) + 1, **what, "rss_mb": resident})
            say(f"{line}; {resident:.0f} MB")

        search(trainer, config, Tracker.open(config.stores, "noise"), trials, record)
    measured = pd.DataFrame(rows)
    measured.assign(**machine()).to_csv(RESULTS, index=False)
    half = measured[measured["trial"] > count // 2]
    line, covariance = np.polyfit(half["trial"], half["rss_mb"], 1, cov=True)
    error = math.sqrt(covariance[0, 0])
    figure(measured, half["trial"], line).savefig(RESULTS.with_suffix(".png"))
    shown = measured[measured["trial"] % max(1, count // 10) == 0]
    found = f"A trial adds {line[0]:+.2f} ± {error:.2f} MB over the second half: {verdict(line[0], error)}"
    print(markdown_table(shown), found, describe(), sep="\n\n")


def parameters(folder: Path, **train: object) -> Config:
    """Those of `params.yaml` for noise, with every store in `folder`."""
    config = changed(stored_in(load_config(), folder), "train", {"folds_up_to": 0, **train})
    return config.model_copy(update={"backbones": {BACKBONE: BackboneConfig(weights=None, image_size=SIZE)}})


def make_trainer(packed: PackedImages, config: Config) -> Trainer:
    cell = make_cell(packed, len(packed.labels), config.train, config.seed)
    cache = PrefixCache(config.stores.cache, int(config.stores.cache_gigabytes * 1e9))
    return Trainer(Setup(cell, BACKBONE, config.backbone(BACKBONE), config.train, cache, config.seed))


def varied(search: SearchConfig, depth: int) -> Iterator[TrialSettings]:
    """Four kinds, at all depths but the first, under each pooling."""
    middle = guide_settings("end_of_convnet", search, depth)
    for pooling, keep in product(search.pooling, range(depth, 1, -1)):
        for init, thaw in (("pretrained", 0), ("pretrained", 1), ("pretrained", keep), ("random", keep)):
            yield replace(middle, init=init, keep=keep, thaw=thaw, pooling=pooling)


def kind_of(settings: TrialSettings) -> str:
    if settings.init == "random":
        return "random weights"
    return {0: "head", 1: "last block"}.get(settings.thaw, "all blocks")


def verdict(slope: float, error: float) -> str:
    """In words, with two standard errors to either side."""
    if slope + 2 * error <= FLAT:
        return "flat."
    return "GROWING." if slope - 2 * error > FLAT else "too uncertain, more trials would tell."


def figure(measured: pd.DataFrame, second_half: pd.Series, line: Sequence[float]) -> Figure:
    picture, axes = chart(8.5, 4.5, "Memory of one process, trial after trial")
    looks = {"head": ("green", "o"), "last block": ("blue", "s"), "all blocks": ("vermilion", "D")}
    for kind, (colour, marker) in (looks | {"random weights": ("purple", "^")}).items():
        rows = measured[measured["kind"] == kind]
        axes.scatter(rows["trial"], rows["rss_mb"], color=PALETTE[colour], marker=marker, s=24, label=kind, zorder=3)
    axes.plot(second_half, np.polyval(line, second_half), color=INK, label=f"{line[0]:+.2f} MB a trial")
    axes.set_ylim(0, 1.15 * measured["rss_mb"].max())
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("trial")
    axes.set_ylabel("resident memory, MB")
    legend(axes)
    return picture


def larger_than_memory(room: float) -> None:
    grouped = make_cgroup()
    try:
        with TemporaryDirectory(dir=WORK) as folder:
            write_noise(Path(folder) / "few", 512, SIZE)
            base = train_in_process(Path(folder) / "few")
            limit = base["allocated_mb" if grouped else "data_mb"] + room
            images = math.ceil(TIMES * limit / base["mb_per_image"])
            write_noise(Path(folder) / "many", images, SIZE)
            say(f"Limit {limit:.0f} MB; {images} images")
            found = train_in_process(Path(folder) / "many", confined(grouped, limit))
        peak, met = (cgroup("max_usage_in_bytes") / 1e6, cgroup("failcnt")) if grouped else (0.0, 0)
    finally:
        if grouped:
            CGROUP.rmdir()
    rows = {
        "limited by": "a memory cgroup" if grouped else "RLIMIT_DATA, which counts no files",
        "limit, MB": f"{limit:.0f}: {limit - room:.0f} of the process itself, {room:.0f} more",
        "images and cached maps, MB": f"{images * base['mb_per_image']:.0f} ({images} images)",
        "allocated in the end (RssAnon), MB": f"{found['allocated_mb']:.0f}",
        "peak of resident memory, mapped libraries included (VmHWM), MB": f"{found['peak_mb']:.0f}",
    }
    if grouped:
        rows["peak of the cgroup, cached files included, MB"] = f"{peak:.0f}"
        rows["times the cgroup met its limit and gave files back"] = f"{met}"
    rows["balanced accuracy (of noise): head, thawed"] = f"{found['head']:.3f}, {found['thawed']:.3f}"
    rows["seconds"] = f"{found['seconds']:.0f}"
    print(markdown_table(pd.DataFrame(rows.items(), columns=["what", "value"])), describe(), sep="\n\n")


def make_cgroup() -> bool:
    """Whether one could be made."""
    try:
        CGROUP.mkdir()
    except OSError:
        return False
    return True


def cgroup(name: str) -> int:
    return int((CGROUP / f"memory.{name}").read_text())


def confined(grouped: bool, limit: float) -> list[str]:
    """What a command is to follow so that it runs within `limit` MB."""
    if grouped:
        (CGROUP / "memory.limit_in_bytes").write_text(str(int(limit * 1e6)))
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(CGROUP / "cgroup.procs")]
    return ["sh", "-c", 'ulimit -d "$0" && exec "$@"', str(int(limit * 1e6) // 1024)]


def train_in_process(folder: Path, before: Sequence[str] = ()) -> dict[str, Any]:
    command = [*before, sys.executable, __file__, "--train-on", str(folder)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"Training on {folder.name} images ended with {done.returncode} (-9: killed for memory).")
    return json.loads(done.stdout)


def train_on(folder: Path) -> dict[str, float]:
    """Train on a packed data set; say how it went, what the process took, and what each image takes on disk."""
    started = time.perf_counter()
    packed = read_packed(folder)
    config = parameters(folder, epochs=2, head_epochs=0, batch_size=64, resident_gigabytes=0.05)
    trainer = make_trainer(packed, config)
    middle = guide_settings("end_of_convnet", config.search, trainer.backbone.depth)
    head = replace(middle, keep=KEEP, views="identity")
    scores = {
        name: trainer.validate(settings, config.seed, Unwatched()).score
        for name, settings in {"head": head, "thawed": replace(head, thaw=1, views=VIEWS)}.items()
    }
    sizes = {"peak_mb": "VmHWM", "allocated_mb": "RssAnon", "data_mb": "VmData"}
    maps = len(VIEW_SETS[VIEWS]) * map_bytes(trainer.backbone, KEEP - 1)
    return {
        **scores,
        **{name: process_megabytes(field) for name, field in sizes.items()},
        "mb_per_image": (packed.images[0].nbytes + maps) / 1e6,
        "seconds": time.perf_counter() - started,
    }


class Unwatched:
    """A watcher that lets every trial go on."""

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None: ...

    def fold(self, history: list[dict[str, float]], first: int, certainties: Any) -> None: ...


def write_noise(folder: Path, count: int, size: int) -> PackedImages:
    """A packed data set of so many images of noise in two classes, all for training, written a part at a time."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(count)
    images = open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=(count, size, size, 3))
    for start in range(0, count, ROWS_AT_ONCE):
        part = images[start : start + ROWS_AT_ONCE]
        part[:] = rng.integers(256, size=part.shape, dtype=np.uint8)
    images.flush()
    labels = np.arange(count) % 2
    np.save(folder / "labels.npy", labels)
    names = [f"{row:064x}" for row in range(count)]
    index = pd.DataFrame({"image": names, "label": labels, "split": "train", "group": names})
    index.assign(width=size, height=size, sha256=names).to_csv(folder / "index.csv", index=False)
    facts = {"classes": ["0", "1"], "image_size": size, "resize": "stretch", "levels": {}}
    facts |= {"fingerprint": f"noise {count} {size}"}
    (folder / "packed.json").write_text(json.dumps(facts))
    return read_packed(folder)


if __name__ == "__main__":
    main()
