"""What a search costs: one study's list of trials, run by frostline, by plain Keras and Optuna, and by KerasTuner.

    python benchmarks/search_cost.py --quick
    python benchmarks/search_cost.py --cell models/solar_cells-large-vgg16

The list is a finished study's own. Every way trains the same settings from the same weights on the same images and
folds, for the same epochs; nothing is pruned and no trial ends early. Each way runs in a process of its own, one after
another; starting it and importing Keras are not counted. frostline runs the list twice: `frostline-cold` begins with an
empty prefix cache, `frostline-warm` is a new process with the cache that the first one filled. The others are in
`plain.py` and `tuner.py` (which needs `pip install keras-tuner tensorboard`, and is left out where they are missing).

A study trains the head alone for `train.head_epochs` before it thaws blocks. That costs frostline next to nothing and
the others much, so it is left out in every way, unless `--two-phase` puts it into every way.

The score is balanced accuracy on the cell's validation rows, predicted after each epoch, in the time that is counted.
Seeds do not make the ways draw the same numbers (order, dropout, augmentation), so that scores differ by chance too.
Optuna's time is in plain's figures, as a tuner's is in its own; frostline's leave out what Optuna and MLflow take.

`--epochs` caps the epochs of heads, which cost plain Keras hours; a further table then projects every trial, at its
seconds per epoch, to the epochs that its study allows.

`--quick` takes a head, the last block thawed and every block trained, for at most 2 epochs: too few to spread the one
extraction over. Writes a row per way and trial to `docs/results/search_cost.csv` (`…-quick.csv`) and a row per epoch
beside it (`…-epochs.csv`) as it goes on; rows that are there are kept, but a cold run that was interrupted begins anew.
Trials that failed in the study are left out. Then prints tables. What frostline caches stays in `.cache/search_cost/`.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from frostline.records.train_record import TrainRecord
from frostline.runtime.environment import set_defaults
from frostline.runtime.progress import say
from machine import describe
from search_cost_tables import COLD, WARM, epochs_file, identity, print_tables, read

WAYS = ["frostline", "plain-float32", "plain-bfloat16", "tuner-float32", "tuner-bfloat16"]
TUNER_NEEDS = ("keras_tuner", "tensorboard")
NEVER = 10**6
QUICK_EPOCHS = 2


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cell", type=Path, action="append", help="a folder in models/; else all of them")
    arguments.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS[:-1])
    arguments.add_argument("--epochs", type=int, help="at most, per trial; else as many as the study allows")
    arguments.add_argument("--two-phase", action="store_true", help="train the head alone before blocks are thawed")
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--output", type=Path)
    arguments.add_argument("--way", choices=[COLD, WARM, *WAYS[1:]], help="run just this one, without tables")
    options = arguments.parse_args()
    options.cell = options.cell or sorted(path.parent for path in Path("models").glob("*/study.json"))
    if not options.cell:
        raise SystemExit("models/ holds no finished study: dvc repro makes them.")
    options.epochs = options.epochs or (QUICK_EPOCHS if options.quick else NEVER)
    options.output = options.output or Path(f"docs/results/search_cost{'-quick' if options.quick else ''}.csv")
    if options.way:
        run_way(options)
    else:
        compare(options)


def run_way(options: argparse.Namespace) -> None:
    """Run one way in this process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.way in (COLD, WARM):
        set_defaults()  # the others run as their users start them
    from search_cost_run import run  # imports Keras, which reads the environment

    for folder in options.cell:
        run(options.way, folder, options)


def compare(options: argparse.Namespace) -> None:
    """Run every way in a process of its own, then print the tables."""
    ways = [way for name in options.ways for way in ([COLD, WARM] if name == "frostline" else [name])]
    if not all(map(importlib.util.find_spec, TUNER_NEEDS)) and any(way.startswith("tuner") for way in ways):
        say("KerasTuner or what it imports is missing, so it is left out: pip install keras-tuner tensorboard.")
        ways = [way for way in ways if not way.startswith("tuner")]
    for folder in options.cell:
        for way in ways:
            command = [sys.executable, __file__, "--way", way, "--cell", str(folder), "--output", str(options.output)]
            command += ["--epochs", str(options.epochs)]
            command += ["--quick"] * options.quick + ["--two-phase"] * options.two_phase
            subprocess.run(command, check=True)
    lists = pd.DataFrame([identity(TrainRecord.read(folder), options) for folder in options.cell])
    print_tables(read(options.output).merge(lists), read(epochs_file(options.output)), ways)
    set_defaults()
    print(describe())


if __name__ == "__main__":
    main()
