"""What an accelerator does: whole networks per precision, with and without XLA; trials; filling the prefix cache.

    KERAS_BACKEND=jax python benchmarks/gpu.py
    KERAS_BACKEND=tensorflow python benchmarks/gpu.py
    KERAS_BACKEND=tensorflow TF_DETERMINISTIC_OPS=0 python benchmarks/gpu.py --output docs/results/gpu-xla.csv

On images of noise and random weights, since speed depends on neither; what is compared is timed in turn:

- forward and training (AdamW on every weight) of whole backbones, fed from main memory. JAX always compiles with XLA,
  TensorFlow on the third line alone: Keras refuses it where operations are deterministic, which frostline sets;
- a head and the last block thawed, as trials of 3 epochs whose activations are on the device
  (`train.resident_gigabytes: 2`) or streamed (0): seconds, on a filled cache and with graphs that were traced before;
- filling the prefix cache: pooled vectors after every block, and the maps before the last one.

Writes `docs/results/gpu-<backend>.csv` and prints it as a table. Where there is no accelerator, it says so and ends.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from frostline.runtime.environment import set_defaults

set_defaults()

import keras
import numpy as np
import pandas as pd

from frostline.backbones.surgery import Backbone, add_head, build_backbone, pool
from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.data.packed import PackedImages
from frostline.runtime.devices import accelerators
from frostline.runtime.progress import say
from frostline.search.space import guide_settings
from frostline.training.cell import make_cell
from frostline.training.setup import Setup
from frostline.training.trial import Trainer
from machine import Timing, describe, interleaved, machine, markdown_table
from memory import Unwatched, write_noise
from regimes import FOLDER
from scaling import changed

WORK = Path(".cache/gpu")
BACKEND = keras.backend.backend()
DETERMINISTIC = os.environ["TF_DETERMINISTIC_OPS"] != "0"
XLA = {"jax": (True,), "tensorflow": (False,) if DETERMINISTIC else (False, True)}.get(BACKEND, (False,))
MOST_BATCHES = 16
Row = dict[str, Any]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--backbones", nargs="+", default=["vgg16", "resnet50"])
    arguments.add_argument("--precisions", nargs="+", default=["float32", "mixed_bfloat16", "mixed_float16"])
    arguments.add_argument("--image-size", type=int, help="pixels; else what each was pretrained at")
    arguments.add_argument("--images", type=int, default=2048)
    arguments.add_argument("--batch", type=int, default=128, help="of whole networks")
    arguments.add_argument("--repeats", type=int, default=5, help="rounds, after one that does not count")
    arguments.add_argument("--output", type=Path, default=FOLDER / f"gpu-{BACKEND}.csv")
    arguments.add_argument("--allow-cpu", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if not (accelerators() or options.allow_cpu):
        print(f"no accelerator here: {BACKEND} sees none (for CPUs there is throughput.py)")
        return
    WORK.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for name in options.backbones:
        config = BackboneConfig(weights=None, image_size=options.image_size or "native")
        size = build_backbone(name, config).image_size
        found: list[Row] = []
        with TemporaryDirectory(dir=WORK) as folder:
            packed = write_noise(Path(folder) / "packed", options.images, size)
            for precision in options.precisions:
                say(f"{name}, {size} px, {precision}, on {BACKEND}")
                found += networks(partial(build_backbone, name, config, precision=precision), packed, options)
            found += trials(name, config, packed, Path(folder) / "cache", options.repeats)
        rows += [{"backbone": name, "pixels": size} | row for row in found]
    table = pd.DataFrame(rows)
    if accelerators():
        table.assign(deterministic=DETERMINISTIC, **machine()).to_csv(options.output, index=False)
    print(markdown_table(table), describe(), sep="\n\n")


def networks(build: Callable[[], Backbone], packed: PackedImages, options: argparse.Namespace) -> Iterator[Row]:
    """Images a second of whole networks: forward, and in training."""
    count = min(MOST_BATCHES, len(packed.labels) // options.batch)
    batches = [np.asarray(part) for part in np.split(packed.images[: count * options.batch], count)]
    labels = packed.labels[: options.batch]
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    for xla in XLA:
        backbone = build()
        forward = keras.Model(backbone.network.inputs, pool(backbone.network.output))
        forward.compile(jit_compile=xla)
        output, _ = add_head(backbone.network.output, len(packed.classes), pooling="both", dropout=0.2, seed=0)
        training = keras.Model(backbone.network.inputs, output)
        training.compile(keras.optimizers.AdamW(1e-5), "sparse_categorical_crossentropy", jit_compile=xla)
        how = "XLA" if xla else "no XLA"
        calls["forward", how] = partial(each, forward.predict_on_batch, batches)
        calls["training", how] = partial(each, partial(training.train_on_batch, y=labels), batches)
    for (what, how), timing in interleaved(calls, options.repeats).items():
        yield row(what, backbone.precision, how, timing, count * options.batch)


def each(call: Callable[[Any], object], batches: list[Any]) -> None:
    for batch in batches:
        call(batch)


def trials(name: str, config: BackboneConfig, packed: PackedImages, folder: Path, repeats: int) -> Iterator[Row]:
    """Seconds of trials on resident and on streamed activations, and images a second that fill the cache."""
    parameters = changed(load_config(), "train", {"folds_up_to": 0, "epochs": 3, "patience": 3})
    cell = make_cell(packed, len(packed.labels), parameters.train, parameters.seed)
    cache = PrefixCache(folder, 10**10)
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    for how, gigabytes in {"resident": 2, "streamed": 0}.items():
        train = changed(parameters, "train", {"resident_gigabytes": gigabytes}).train
        trainer = Trainer(Setup(cell, name, config, train, cache, parameters.seed))
        depth = trainer.backbone.depth
        head = guide_settings("end_of_convnet", parameters.search, depth)
        for what, settings in {"head": head, "last block thawed": replace(head, thaw=1)}.items():
            calls[what, how] = partial(trainer.validate, settings, parameters.seed, Unwatched())
    precision = trainer.setup.precision

    def fill() -> None:
        others = replace(packed, fingerprint=str(time.perf_counter_ns()))  # images that the cache lacks
        cache.fill(trainer.backbone, others, np.arange(len(packed.labels)), ["identity"], [depth - 1])

    for (what, how), timing in interleaved(calls, repeats).items():
        yield row(what, precision, how, timing)
    yield row("filling the cache", precision, "", interleaved({"": fill}, repeats)[""], len(packed.labels))


def row(what: str, precision: str, how: str, timing: Timing, images: int | None = None) -> Row:
    middle, low, high = timing.rate(images) if images else (timing.median, *timing.spread)
    values = {"median": middle, "lowest": low, "highest": high}
    detail = {"what": what, "precision": precision, "how": how, "unit": "images/s" if images else "s"}
    return detail | {key: float(f"{value:.4g}") for key, value in values.items()}


if __name__ == "__main__":
    main()
