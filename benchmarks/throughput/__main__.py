"""Images per second of whole backbones, forward and training, against the most that the machine can do.

    python -m benchmarks.throughput --compare openvino onnxruntime
    KERAS_BACKEND=jax python -m benchmarks.throughput --trials

For each backbone and precision, in turn within every round so that other work on the machine hits all alike:

- the ceiling: a large matrix product or 3x3 convolution, whichever is the fastest of several (`ceiling.py`);
- `predict`: plain `keras.Model.predict` in batches of 32; and its first call on a new network, which traces it too;
- `pass`: the network that fills frostline's prefix cache (pooled vectors after every block), batch after batch;
- `cache`: that pass through `PrefixCache` into an empty folder, writing to disk included, where the network has run
  before (so it is from the second view on), and on the first call of a new cache;
- `train`: steps of AdamW on every weight, in batches of 16 (FLOPs: three times those of the forward pass).

With `--compare`, other engines on the CPU on the same images (`engines.py`), and how far their outputs lie from Keras's
in float32. With `--trials`, what a GPU gains by holding activations (`trials.py`). Images are noise. Weights are
ImageNet's where they are on this machine, else random: speed depends on neither. TF_DETERMINISTIC_OPS=0 before the
command shows what determinism costs on a GPU, where TensorFlow compiles with XLA only then (JAX always does). Writes
`throughput.csv` (`throughput-<backend>.csv` of others than TensorFlow) and `…-trials.csv`, and prints them.
"""

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pandas as pd

from frostline.backbones.catalogue import find_backbone
from frostline.backbones.imagenet import local_weights
from frostline.backbones.readout import add_head, read_out
from frostline.backbones.surgery import Backbone, build_backbone
from frostline.cache.prefix import PrefixCache, _pass, padded
from frostline.config.schema import BackboneConfig
from frostline.data.packed import PackedImages
from frostline.runtime.progress import say

from ..measuring import Option, Timing, describe, interleaved, machine, markdown_table, parse
from ..training import write_noise
from .ceiling import Probe, highest
from .engines import ENGINES, load_engines
from .trials import resident_and_streamed

SEED = 20
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

SHOWN = [
    *("backbone", "pixels", "precision", "what", "images_per_second", "lowest", "highest", "ceiling_per_cent"),
    *("ceiling_gflop_per_second", "against", "times_as_long", "at_most", "largest_difference", "largest_output"),
]
Row = dict[str, Any]
Calls = dict[str, Callable[[], Any]]
Build = Callable[..., Backbone]


def main() -> None:
    backend = keras.backend.backend()
    engines = list(ENGINES)
    options = parse(
        __doc__,
        backbones=Option(["vgg16", "resnet50", "inceptionv3"], smallest=["vgg16"]),
        image_size=Option(kind=int, smallest=32, help="pixels; else what each was pretrained at"),
        precisions=Option(["float32", "mixed_bfloat16"], smallest=["float32"], help="or mixed_float16"),
        images=Option(128, smallest=32, help="in every round; a multiple of 32, the batch"),
        steps=Option(2, smallest=1, help="of training in every round"),
        repeats=Option(3, smallest=1, help="rounds, after one that does not count"),
        compare=Option([], smallest=engines if backend == "tensorflow" else [], kind=str, choices=engines),
        trials=Option(False, smallest=True, help="trials on resident and on streamed activations, too"),
    )
    if options.compare and backend != "tensorflow":
        raise SystemExit("--compare exports networks from Keras's TensorFlow backend: set KERAS_BACKEND=tensorflow")
    results = options.output / f"throughput{'' if backend == 'tensorflow' else '-' + backend}.csv"
    facts = {"deterministic": os.environ.get("TF_DETERMINISTIC_OPS", "0") != "0"} | machine()
    ceilings = {}
    for precision in options.precisions:
        ceilings[precision], rates = highest(precision, options.repeats, "smallest" if options.smallest else None)
        say(f"{precision}, GFLOP/s: " + ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in rates.items()))
    rows: list[Row] = []
    trials: list[Row] = []
    for name in options.backbones:
        with TemporaryDirectory(dir=options.work) as folder:
            config = config_of(name, options.image_size)
            packed = write_noise(Path(folder) / "packed", options.images, build_backbone(name, config).image_size)
            for precision, ceiling in ceilings.items():
                rows += measure(partial(build_backbone, name, config, seed=SEED), packed, precision, ceiling, options)
            if options.compare:
                rows += compare(partial(build_backbone, name, config, seed=SEED), packed, ceilings, options)
            if options.trials:
                trials += resident_and_streamed(name, config, packed, Path(folder) / "trials", options.repeats)
        pd.DataFrame(rows).assign(**facts).to_csv(results, index=False)
    print(markdown_table(pd.DataFrame(rows)[[name for name in SHOWN if any(name in row for row in rows)]]))
    if trials:
        pd.DataFrame(trials).assign(**facts).to_csv(results.with_stem(f"{results.stem}-trials"), index=False)
        print(f"\n{markdown_table(pd.DataFrame(trials))}")
    print(f"\n{describe()}")


def config_of(name: str, image_size: int | None) -> BackboneConfig:
    """At its native size or another, with ImageNet's weights if they are on this machine, else random ones."""
    found = local_weights(find_backbone(name, BackboneConfig()))
    return BackboneConfig(image_size=image_size or "native", weights="imagenet" if found else None)


def measure(
    build: Build, packed: PackedImages, precision: str, ceiling: Probe, options: argparse.Namespace
) -> list[Row]:
    """Everything about one backbone in one precision, other engines aside."""
    backbone = build(precision=precision)
    say(f"{backbone.spec.name}, {packed.image_size} px, {precision}")
    network = backbone.network
    filling = _pass(backbone, 0, backbone.depth, {f"pooled-{block}" for block in range(1, backbone.depth + 1)})
    trained = training(build(precision=precision), packed, options.steps)

    def predict(network: Any) -> object:
        return network.predict(packed.images, batch_size=BATCH, verbose=0)

    with TemporaryDirectory(dir=options.work) as folder:
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
    vector = read_out([backbone.network.output], "both")
    output, _ = add_head(vector, len(packed.classes), dropout=0.2, seed=SEED)
    network = keras.Model(backbone.network.inputs, output)
    network.compile(keras.optimizers.AdamW(1e-5), "sparse_categorical_crossentropy")
    batches = np.resize(np.arange(len(packed.labels)), (steps, TRAINING_BATCH))

    def train() -> None:
        for batch in batches:
            network.train_on_batch(packed.images[batch], packed.labels[batch])

    return train


def compare(
    build: Build, packed: PackedImages, ceilings: Mapping[str, Probe], options: argparse.Namespace
) -> list[Row]:
    """The forward pass in Keras and in other engines, all from the same float32 weights."""
    exported, images = build(precision="float32"), packed.images
    say(f"{exported.spec.name}, other engines")
    expected = exported.network.predict(images, batch_size=BATCH, verbose=0)
    rows: list[Row] = []
    with TemporaryDirectory(dir=options.work) as folder:
        engines = load_engines(options.compare, exported, BATCH, Path(folder))
        for precision, ceiling in ceilings.items():
            backbone = build(precision=precision)
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


if __name__ == "__main__":
    main()
