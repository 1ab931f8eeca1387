"""Is the time that `frostline plan` tells the time that `dvc repro` then takes?

    python -m benchmarks.plan

Makes the solar-cell project as `frostline init --example` does, in a folder of its own, asks for the plan, and runs
every step with DVC, one after the other. `--precision float32` with ONEDNN_MAX_CPU_ISA=AVX2 in the environment gives
the time of a machine without bfloat16. With `--smallest` the studies are tiny.

Writes `plan.csv`: a row per step with the seconds that were told, those that it took, and the ratio of the two. And
`plan-training.csv`: what a training step of the last block, of half of the blocks, and of all costs, in forward passes
of the same blocks, by the median of `--repeats`. A study's estimate takes 3.3 for it.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import yaml

from frostline.backbones.surgery import build_backbone
from frostline.commands import init
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.planning.costs import Costs
from frostline.planning.steps import STAGES, Step, steps_of
from frostline.runtime.precision import resolve_precision
from frostline.training.suffix import Shape, Suffix

from .measuring import WORK, Option, append, describe, machine, markdown_table, parse

TINY = {
    "sizes": {"small": 10},
    "search": {"effort": {"heads": 2, "thawed": 1, "images": 10}},
    "backbones": {"vgg16": {"image_size": 32}},
}
"""What `--smallest` changes in params.yaml."""
BATCH = 16


def main() -> None:
    options = parse(
        __doc__,
        effort=Option("quick", choices=["quick", "standard", "thorough"]),
        precision=Option("auto", choices=["auto", "float32", "mixed_bfloat16", "mixed_float16"]),
        stages=Option(list(STAGES), smallest=["prepare", "preprocess"], choices=list(STAGES)),
        backbones=Option(["vgg16", "resnet50"], smallest=["vgg16"], help="of training steps"),
        sizes=Option([64, 128], smallest=[32], help="of training steps, in pixels"),
        repeats=Option(5, smallest=2, help="of training steps"),
    )
    steps = pd.DataFrame(
        training_steps(name, size, options.precision, options.repeats)
        for name in options.backbones
        for size in options.sizes
    )
    append([row | machine() for row in steps.to_dict("records")], options.output / "plan-training.csv")
    project = WORK.resolve() / "plan"
    shutil.rmtree(project, ignore_errors=True)
    init.run(project, None, example=True, force=False)
    _change(project / "params.yaml", options.effort, options.precision, smallest=options.smallest)
    with chdir(project):
        config = load_config()
        costs = Costs.measure(config)
        _run("plan")  # with what it reads
        rows = [
            {"step": step.name, "told": round(costs.seconds(step) or 0.0, 1), "took": round(_took(step), 1)}
            for step in steps_of(config)
            if step.stage in options.stages
        ]
    found = pd.DataFrame(rows).assign(ratio=lambda rows: (rows["took"] / rows["told"]).round(2))
    named = {"effort": options.effort, "precision": costs.networks["vgg16"].precision} | machine()
    append([row | named for row in found.to_dict("records")], options.output / "plan.csv")
    in_all = found[["told", "took"]].sum()
    print(markdown_table(found), f"In all {in_all['told']:.0f} s told, {in_all['took']:.0f} s taken.", sep="\n\n")
    print(markdown_table(steps))
    print(describe())


def training_steps(name: str, size: int, precision: str, repeats: int) -> dict[str, object]:
    """What a training step costs in forward passes, by how many blocks are trained."""
    policy = resolve_precision(precision)
    backbone = build_backbone(name, BackboneConfig(image_size=size), precision=policy, seed=20, random=True)
    flops = backbone.flops_per_block()
    images = np.random.default_rng(20).integers(256, size=(BATCH, size, size, 3), dtype=np.uint8)
    forward = _median(backbone.slice(0, backbone.depth).predict_on_batch, repeats, images)
    found: dict[str, object] = {"backbone": name, "pixels": size, "precision": policy}
    for words, frozen in (("last block", backbone.depth - 1), ("half", backbone.depth // 2), ("all blocks", 0)):
        shape = Shape(frozen, (backbone.depth,), frozen, "both")
        model = Suffix(backbone, shape, 2, train_batchnorm=False).model
        inputs = backbone.slice(0, frozen).predict_on_batch(images) if frozen else images
        took = _median(model.train_on_batch, repeats, inputs, np.zeros(BATCH, dtype=np.int64))
        found[words] = round(took / forward * sum(flops) / sum(flops[frozen:]), 2)
    return found


def _median(call: Callable[..., object], repeats: int, *given: object) -> float:
    """Seconds of a call, after one that traces."""
    call(*given)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call(*given)
        times.append(time.perf_counter() - started)
    return median(times)


def _change(params: Path, effort: str, precision: str, *, smallest: bool) -> None:
    document = yaml.safe_load(params.read_text(encoding="utf-8"))
    document["search"]["effort"], document["train"]["precision"] = effort, precision
    for section, values in TINY.items() if smallest else ():
        document[section] = values if section != "search" else document[section] | values
    params.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def _took(step: Step) -> float:
    started = time.perf_counter()
    _run("--single-item", step.name)
    return time.perf_counter() - started


def _run(*stage: str) -> None:
    """Let DVC run a stage; its log goes to standard error."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "dvc", "repro", *stage]
    subprocess.run(command, env=os.environ | {"PATH": path}, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
