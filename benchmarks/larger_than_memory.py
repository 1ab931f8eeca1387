"""Does training work on more data than fits into memory? Linux only.

    python -m benchmarks.larger_than_memory

Trains a head and a thawed block of VGG16 on noise at 32 pixels from random weights, in a process whose memory is
limited to what the same training takes on 512 images, and `--room` more. Images and cached maps are twice as large as
that limit. A cgroup (version 1, as root) limits all memory, files that the system caches included; where none can be
made, RLIMIT_DATA limits what the process allocates, and no files. Prints a table.
"""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from frostline.cache.group import map_bytes
from frostline.config.load import load_config
from frostline.data.packed import read_packed
from frostline.data.views import VIEW_SETS
from frostline.runtime.progress import say

from .measuring import Option, describe, markdown_table, parse, process_megabytes
from .training import Unwatched, make_trainer, on_noise, standard, write_noise

CGROUP = Path("/sys/fs/cgroup/memory") / f"frostline-{os.getpid()}"
SIZE = 32
KEEP, VIEWS = 2, "dihedral"  # of the thawed block: shallow maps are large, and cost little to train on


def main() -> None:
    options = parse(
        __doc__,
        room=Option(300.0, help="MB over what the process takes by itself"),
        few=Option(512, smallest=16, help="images of the training that is not limited"),
        times=Option(2.0, smallest=0.005, help="how many times as large as the limit the data are"),
        train_on=Option(kind=Path, help="train on this packed data set, and say how that went"),
    )
    if options.train_on:
        print(json.dumps(train_on(options.train_on)))
        return
    grouped = make_cgroup()
    try:
        with TemporaryDirectory(dir=options.work) as folder:
            write_noise(Path(folder) / "few", options.few, SIZE)
            base = (train_on if options.smallest else train_in_process)(Path(folder) / "few")
            limit = base["allocated_mb" if grouped else "data_mb"] + options.room
            images = math.ceil(options.times * limit / base["mb_per_image"])
            write_noise(Path(folder) / "many", images, SIZE)
            say(f"Limit {limit:.0f} MB; {images} images")
            found = train_in_process(Path(folder) / "many", confined(grouped, limit))
        peak, met = (cgroup("max_usage_in_bytes") / 1e6, cgroup("failcnt")) if grouped else (0.0, 0)
    finally:
        if grouped:
            CGROUP.rmdir()
    rows = {
        "limited by": "a memory cgroup" if grouped else "RLIMIT_DATA, which counts no files",
        "limit, MB": f"{limit:.0f}: {limit - options.room:.0f} of the process itself, {options.room:.0f} more",
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
    command = [*before, sys.executable, "-m", "benchmarks.larger_than_memory", "--train-on", str(folder)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"Training on {folder.name} images ended with {done.returncode} (-9: killed for memory).")
    return json.loads(done.stdout)


def train_on(folder: Path) -> dict[str, float]:
    """Train on a packed data set; say how it went, what the process took, and what each image takes on disk."""
    started = time.perf_counter()
    packed = read_packed(folder)
    train = {"epochs": 2, "patience": 2, "batch_size": 64, "resident_gigabytes": 0.05}
    config = on_noise(load_config(), folder, SIZE, **train)
    trainer = make_trainer(config, packed, len(packed.labels))
    head = standard(config.search, KEEP, views="identity")
    thawed = standard(config.search, KEEP, 1, views=VIEWS, test_views="identity")
    scores = {
        name: trainer.validate(settings, config.seed, Unwatched()).score
        for name, settings in {"head": head, "thawed": thawed}.items()
    }
    sizes = {"peak_mb": "VmHWM", "allocated_mb": "RssAnon", "data_mb": "VmData"}
    maps = len(VIEW_SETS[VIEWS]) * map_bytes(trainer.backbone, KEEP - 1)
    return {
        **scores,
        **{name: process_megabytes(field) for name, field in sizes.items()},
        "mb_per_image": (packed.images[0].nbytes + maps) / 1e6,
        "seconds": time.perf_counter() - started,
    }


if __name__ == "__main__":
    main()
