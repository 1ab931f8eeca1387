"""Is the time that `frostline plan` tells the time that `dvc repro` then takes?

    python -m benchmarks.plan

Makes the solar-cell project as `frostline init --example` does, in a folder of its own, asks for the plan, and runs
every step with DVC, one after the other. `--precision float32` with ONEDNN_MAX_CPU_ISA=AVX2 in the environment gives
the time of a machine without bfloat16. With `--smallest` the studies are tiny.

Writes `plan.csv`: a row per step with the seconds that were told, those that it took, and the ratio of the two.
"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path

import pandas as pd
import yaml

from frostline.commands import init
from frostline.config.load import load_config
from frostline.planning.costs import Costs
from frostline.planning.steps import Step, steps_of

from .measuring import WORK, Option, append, describe, machine, markdown_table, parse

TINY = {
    "sizes": {"small": 10},
    "search": {"effort": {"heads": 2, "thawed": 1, "images": 10}},
    "backbones": {"vgg16": {"image_size": 32}},
}
"""What `--smallest` changes in params.yaml."""


def main() -> None:
    options = parse(
        __doc__,
        effort=Option("quick", choices=["quick", "standard", "thorough"]),
        precision=Option("auto", choices=["auto", "float32", "mixed_bfloat16", "mixed_float16"]),
    )
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
        ]
    found = pd.DataFrame(rows).assign(ratio=lambda rows: (rows["took"] / rows["told"]).round(2))
    named = {"effort": options.effort, "precision": costs.networks["vgg16"].precision} | machine()
    append([row | named for row in found.to_dict("records")], options.output / "plan.csv")
    in_all = found[["told", "took"]].sum()
    print(markdown_table(found), f"In all {in_all['told']:.0f} s told, {in_all['took']:.0f} s taken.", sep="\n\n")
    print(describe())


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
