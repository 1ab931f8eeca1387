"""Images per second of whole backbones, forward and training, against the most that the machine can do.

    python benchmarks/throughput.py --compare openvino onnxruntime

For each backbone and precision, in turn within every round so that other work on the machine hits all alike:

- the ceiling: a large matrix product or 3x3 convolution, whichever is the fastest of several (`ceiling.py`);
- `predict`: plain `keras.Model.predict` of the whole backbone, in batches of 32; and its first call on a new network,
  which is also traced then;
- `pass`: the network that fills frostline's prefix cache (pooled vectors after every block), batch after batch; at
  most 5% longer than `predict`;
- `cache`: that pass through `PrefixCache` into an empty folder, writing to disk included, where the network has run
  before (so it is from the second view on), and on the first call of a new cache; each at most 15% longer than
  `predict` in the same case;
- `train`: steps of AdamW on every weight, in batches of 16 (FLOPs: three times those of the forward pass).

With `--compare`, other engines on the CPU on the same images (`engines.py`), and how far their outputs lie from Keras's
in float32. Images are solar cells of the package elpv-dataset. Weights are ImageNet's where they are on this machine,
else random, and statistics of BatchNorm then are the initial ones: speed depends on neither. Runs in frostline's
environment; TF_DETERMINISTIC_OPS=0 before the command shows what determinism costs on a GPU. Writes
`docs/results/throughput.csv` and prints it as a table.
"""

import argparse
import time
from collections.abc import Callable, Mapping
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

from ceiling import Probe, highest
from engines import ENGINES, load_engines
from frostline.backbones.surgery import Backbone, add_head
from frostline.cache.prefix import PrefixCache, _pass, padded
from frostline.data.packed import PackedImages
from frostline.runtime.progress import say
from machine import Timing, describe, interleaved, machine, markdown_table
from subjects import SEED, measured_backbone, solar_cells

WORK = Path(".cache/throughput")  # on the disk that the prefix cache is on by default
BATCH, TRAINING_BATCH = 32, 16
AGAINST = {
    "pass": ("predict", 1.05),
    "cache, pooled": ("predict", 1.15),
    "cache, maps": ("predict", 1.15),
    "cache, pooled, first call": ("predict, first call", 1.15),
    "openvino": ("keras", None),
    "onnxruntime": ("keras", None),
}
"""What each is compared with, and how many times as long it may take."""

Row = dict[str, Any]
Calls = dict[str, Callable[[], Any]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--backbones", nargs="+", default=["vgg16", "resnet50", "inceptionv3"])
    arguments.add_argument("--image-size", type=int, help="pixels; else what each was pretrained at")
    arguments.add_argument("--precisions", nargs="+", default=["float32", "mixed_bfloat16"], help="or mixed_float16")
    arguments.add_argument("--images", type=int, default=128, help="in every round; a multiple of 32, the batch")
    arguments.add_argument("--steps", type=int, default=2, help="of training in every round")
    arguments.add_argument("--repeats", type=int, default=3, help="rounds, after one that does not count")
    arguments.add_argument("--compare", nargs="+", choices=ENGINES, default=[])
    arguments.add_argument("--output", type=Path, default=Path("docs/results/throughput.csv"))
    options = arguments.parse_args()
    if options.compare and keras.backend.backend() != "tensorflow":
        arguments.error("--compare exports networks from Keras's TensorFlow backend: set KERAS_BACKEND=tensorflow")
    WORK.mkdir(parents=True, exist_ok=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    ceilings = {}
    for precision in options.precisions:
        ceilings[precision], rates = highest(precision, options.repeats)
        say(f"{precision}, GFLOP/s: " + ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in rates.items()))
    rows: list[Row] = []
    for name in options.backbones:
        for precision, ceiling in ceilings.items():
            rows += measure(name, precision, ceiling, options)
        if options.compare:
            rows += compare(name, ceilings, options)
        pd.DataFrame(rows).assign(**machine()).to_csv(options.output, index=False)
    print(markdown_table(pd.DataFrame([shown(row) for row in rows])), describe(), sep="\n\n")


def measure(name: str, precision: str, ceiling: Probe, options: argparse.Namespace) -> list[Row]:
    """Everything about one backbone in one precision, other engines aside."""
    say(f"{name}, {precision}")
    backbone = measured_backbone(name, precision, options.image_size)
    packed = solar_cells(options.images, backbone.image_size)
    network = backbone.network
    filling = _pass(backbone, 0, backbone.depth, {f"pooled-{block}" for block in range(1, backbone.depth + 1)})
    trained = training(measured_backbone(name, precision, options.image_size), packed, options.steps)

    def predict(network: Any) -> object:
        return network.predict(packed.images, batch_size=BATCH, verbose=0)

    with TemporaryDirectory(dir=WORK) as folder:
        new_cache = partial(PrefixCache, Path(folder), 10**12)
        kept = {kind: new_cache() for kind in ("pooled", "maps")}
        calls: Calls = {
            "ceiling": ceiling.call,
            "predict": lambda: predict(network),
            "pass": lambda: in_batches(filling.predict_on_batch, packed.images),
            "cache, pooled": lambda: frostline_pass(kept["pooled"], backbone, packed, "pooled"),
            "cache, maps": lambda: frostline_pass(kept["maps"], backbone, packed, "maps"),
            "predict, first call": lambda: predict(keras.Model(network.inputs, network.outputs)),
            "cache, pooled, first call": lambda: frostline_pass(new_cache(), backbone, packed, "pooled"),
            "train": trained,
        }
        timings = interleaved(calls, options.repeats)
    images = dict.fromkeys(calls, options.images) | {"train": TRAINING_BATCH * options.steps}
    return [row(backbone, what, timings, ceiling, images[what]) for what in calls if what != "ceiling"]


def frostline_pass(cache: PrefixCache, backbone: Backbone, packed: PackedImages, kind: str) -> None:
    """Fill `cache` after the last block, as if `packed` held other images each time: so that it lacks them all."""
    others = replace(packed, fingerprint=f"{packed.fingerprint} {time.perf_counter_ns()}")
    fill = {"pooled": cache.pooled, "maps": cache.maps}[kind]
    fill(backbone, others, np.arange(len(packed.labels)), ["identity"], backbone.depth)


def training(backbone: Backbone, packed: PackedImages, steps: int) -> Callable[[], None]:
    """So many steps on every weight of the backbone and a head, with BatchNorm as Keras trains it."""
    output, _ = add_head(backbone.network.output, len(packed.classes), pooling="both", dropout=0.2, seed=SEED)
    network = keras.Model(backbone.network.inputs, output)
    network.compile(keras.optimizers.AdamW(1e-5), "sparse_categorical_crossentropy")
    batches = np.resize(np.arange(len(packed.labels)), (steps, TRAINING_BATCH))

    def train() -> None:
        for batch in batches:
            network.train_on_batch(packed.images[batch], packed.labels[batch])

    return train


def compare(name: str, ceilings: Mapping[str, Probe], options: argparse.Namespace) -> list[Row]:
    """The forward pass in Keras and in other engines, all from the same float32 weights."""
    say(f"{name}, other engines")
    exported = measured_backbone(name, "float32", options.image_size)
    images = solar_cells(options.images, exported.image_size).images
    expected = exported.network.predict(images, batch_size=BATCH, verbose=0)
    rows: list[Row] = []
    with TemporaryDirectory(dir=WORK) as folder:
        engines = load_engines(options.compare, exported, BATCH, Path(folder))
        for precision, ceiling in ceilings.items():
            backbone = measured_backbone(name, precision, options.image_size)
            forwards = {"keras": backbone.network.predict_on_batch} | engines.get(precision, {})
            calls: Calls = {engine: partial(in_batches, forward, images) for engine, forward in forwards.items()}
            timings = interleaved({"ceiling": ceiling.call} | calls, options.repeats)
            for engine, call in calls.items():
                outputs = np.concatenate(call())[: len(images)].astype(np.float32)
                agreement = {
                    "largest_difference": float(np.abs(outputs - expected).max()),
                    "largest_output": float(np.abs(expected).max()),
                }
                rows.append(row(backbone, engine, timings, ceiling, len(images)) | agreement)
    return rows


def in_batches(forward: Callable[[np.ndarray], Any], images: np.ndarray) -> list[Any]:
    """What `forward` gives for `images`, full batch by full batch: the last is filled up with images once more."""
    batches = np.array_split(np.arange(len(images)), range(BATCH, len(images), BATCH))
    return [forward(images[padded(batch, BATCH)]) for batch in batches]


def row(backbone: Backbone, what: str, timings: Mapping[str, Timing], ceiling: Probe, images: int) -> Row:
    """The figures of one thing that handled so many `images` a round."""
    timing = timings[what]
    per_second, lowest, highest_ = timing.rate(images)
    flops = sum(backbone.flops_per_block()) * (3 if what == "train" else 1)
    against, bound = AGAINST.get(what, (None, None))
    return {
        "backbone": backbone.spec.name,
        "pixels": backbone.image_size,
        "weights": backbone.weights.source,
        "precision": backbone.precision,
        "what": what,
        "batch": TRAINING_BATCH if what == "train" else BATCH,
        "images": images,
        "repeats": len(timing.seconds),
        "images_per_second": round(per_second, 2),
        "lowest": round(lowest, 2),
        "highest": round(highest_, 2),
        "gflop_per_second": round(per_second * flops / 1e9, 1),
        "ceiling": ceiling.name,
        "ceiling_gflop_per_second": round(ceiling.flops / timings["ceiling"].median / 1e9, 1),
        "ceiling_per_cent": round(100 * images * flops / ceiling.flops * timings["ceiling"].ratio(timing), 1),
        "against": against,
        "times_as_long": round(timing.ratio(timings[against]), 3) if against else None,
        "at_most": bound,
    }


def shown(row: Row) -> Row:
    """A row of the printed table."""
    rate = f"{row['images_per_second']:.1f} ({row['lowest']:.1f} to {row['highest']:.1f})"
    bound = f" (at most {row['at_most']})" if row["at_most"] else ""
    difference = f"{row['largest_difference']:.2g} of {row['largest_output']:.3g}" if "largest_output" in row else None
    return {
        "backbone": f"{row['backbone']}, {row['pixels']} px",
        "precision": row["precision"],
        "what": row["what"],
        "images/s (lowest to highest)": rate,
        "% of ceiling": f"{row['ceiling_per_cent']:.0f}",
        "ceiling, GFLOP/s": f"{row['ceiling_gflop_per_second']:.0f}",
        "time": f"{row['times_as_long']:.2f} x {row['against']}{bound}" if row["against"] else None,
        "largest difference": difference,
    }


if __name__ == "__main__":
    main()
