"""What a search costs: one study's list of trials, run by frostline, by plain Keras and Optuna, and by KerasTuner.

    python -m benchmarks.search_cost --quick
    python -m benchmarks.search_cost --cell models/solar_cells-large-vgg16

The list is a finished study's own. Every way trains the same settings from the same weights on the same images and
folds: thawed blocks for the same epochs, those that the study trained them for; nothing is pruned. Heads on frozen
blocks are computed by frostline, and trained for 30 epochs at a rate of 1e-3 by the others. Each way runs in a process
of its own, one after another; starting it and importing Keras are not counted. frostline runs the list twice:
`frostline-cold` begins with an empty prefix cache, `frostline-warm` is a new process with the cache that the first one
filled. The others are in `plain.py` and `tuner.py` (which needs `pip install keras-tuner tensorboard`, and is left out
where they are missing). Only frostline's thawed trials start from a fitted head: that costs it next to nothing and the
others much.

The score is balanced accuracy on the cell's validation rows, predicted after each epoch, in the time that is counted.
Seeds do not make the ways draw the same numbers (order, dropout, augmentation), so that scores differ by chance too.
Optuna's time is in plain's figures, as a tuner's is in its own; frostline's leave out what Optuna and MLflow take.

`--epochs` caps the epochs of the other ways' heads and of thawed trials; a further table then projects every trial, at
its seconds per epoch, to the epochs of its list. `--quick` takes a head, the last block thawed and every block
trained, for at most 2 epochs: too few to spread the one extraction over.

Adds a row per way and trial to `search_cost.csv` (`…-quick.csv`) and a row per epoch to `…-epochs.csv` as it goes on,
then prints tables; of a list that was run twice the later rows count.
"""

import importlib.util
from pathlib import Path

import pandas as pd

from frostline.records.train_record import TrainRecord
from frostline.runtime.progress import say

from ..measuring import Option, apart, describe, parse
from .process import run
from .tables import COLD, WARM, epochs_file, identity, print_tables, read

WAYS = ["frostline", "plain-float32", "plain-bfloat16", "tuner-float32", "tuner-bfloat16"]
TUNER_NEEDS = ("keras_tuner", "tensorboard")
NEVER = 10**6
QUICK_EPOCHS = 2


def main() -> None:
    options = parse(
        __doc__,
        cell=Option([], kind=Path, help="folders in models/; else all of them"),
        ways=Option(WAYS[:-1], smallest=[*WAYS[:2], WAYS[3]], choices=WAYS),
        epochs=Option(kind=int, smallest=1, help="at most, per trial; else as many as the study allows"),
        quick=Option(False, smallest=True, help="three trials of each list"),
    )
    if options.smallest:
        from ..project import enter_smallest

        enter_smallest(options.output / "project")
    options.cell = options.cell or sorted(path.parent for path in Path("models").glob("*/study.json"))
    if not options.cell:
        raise SystemExit("models/ holds no finished study: dvc repro makes them.")
    options.epochs = options.epochs or (QUICK_EPOCHS if options.quick else NEVER)
    options.file = options.output / f"search_cost{'-quick' if options.quick else ''}.csv"
    ways = [way for name in options.ways for way in ([COLD, WARM] if name == "frostline" else [name])]
    if not all(map(importlib.util.find_spec, TUNER_NEEDS)) and any(way.startswith("tuner") for way in ways):
        say("KerasTuner or what it imports is missing, so it is left out: pip install keras-tuner tensorboard.")
        ways = [way for way in ways if not way.startswith("tuner")]
    for folder in options.cell:
        # Importing Keras anew for each way would take longer than all that the smallest input asks for.
        for group in [ways] if options.smallest else [[way] for way in ways]:
            apart(run, group, folder, options)
    lists = pd.DataFrame([identity(TrainRecord.read(folder), options.epochs) for folder in options.cell])
    print_tables(read(options.file).merge(lists), read(epochs_file(options.file)), ways)
    print(describe())


if __name__ == "__main__":
    main()
