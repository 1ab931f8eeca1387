"""A table of whole learning curves: every listed setting in every cell, trained until it no longer improves.

    python -m benchmarks.curves --dogs-cats FOLDER --imagenet-sample FOLDER --minutes 60

Cells are data sets of two classes (scikit-learn's digits, even or odd; solar cells; photographs whose folder is given)
at each of `--sizes` images a class, under each of `--seeds`. A head is fitted in all draws of folds; a network with
thawed blocks is trained on the first fold until `--patience` epochs in a row do not lower the validation loss, then as
long on others: on all where the last block is thawed, else on `--small-folds` or `--large-folds` in all, by the cell.
After each epoch of the first fold it is tested, with averaged weights and with weights as they are.

Adds to a file per cell in `curves/` of the output; curves that are there are kept, so that it goes on where `--minutes`
or an interruption ended it. Cheap settings come first, each in all cells before the next.
"""

import argparse
import gc
import time
from pathlib import Path

import keras

from frostline.runtime.progress import say
from frostline.training.settings import GROUPS, TrialSettings, group_of

from ..measuring import Option, describe, markdown_table, parse
from .cells import cell_keys, data_sets, make_trainer
from .listing import listed
from .measure import measure
from .summary import summary
from .table import Table
from .variants import BASE, OWN_HEADS, VARIANTS

_FEW_IMAGES = 200  # a cell of so many at most is a small one


def main() -> None:
    options = parse(
        __doc__,
        dogs_cats=Option(kind=Path, help="the folder that holds cat/ and dog/"),
        imagenet_sample=Option(kind=Path, help="a folder of ImageNet pictures, named by their WordNet numbers"),
        sets=Option(["digits", "solar_cells", "dogs_cats", "animals_things"], help="of these, those that are at hand"),
        sizes=Option([50, 200], smallest=[8], help="images a class"),
        seeds=Option([20, 21], smallest=[20]),
        image_size=Option(48, smallest=32, help="pixels"),
        epochs=Option(40, smallest=2, help="at most"),
        patience=Option(8, smallest=1, help="epochs in a row that do not lower the validation loss end a training"),
        folds=Option(5, smallest=2, help="of the cross-validation"),
        small_folds=Option(3, smallest=1, help="trained where more than the last block is thawed, in small cells"),
        large_folds=Option(1, help="the same in large ones"),
        test_images=Option(300, smallest=8, help="of both classes as many"),
        digits=Option(1797, smallest=60, help="so many of scikit-learn's"),
        minutes=Option(1e9, help="stop after the curve that passes so many"),
        variant=Option(BASE, choices=list(VARIANTS), help="a way to train"),
        only=Option([""], help="of settings, those whose names begin with one of these"),
    )
    ends = time.monotonic() + 60 * options.minutes
    table, sets = Table(options.output / "curves"), data_sets(options)
    cells = cell_keys(options, sets)
    for group in GROUPS[:2] if options.smallest else GROUPS:
        for key in cells:
            chosen = {
                name: settings
                for name, settings in listed(sets[key.dataset].views).items()
                if group_of(settings) == group
                and (settings.thaw or options.variant in OWN_HEADS)
                and name.startswith(tuple(options.only))
                and not table.has(key, options.variant, name)
            }
            if options.smallest:
                chosen = dict(list(chosen.items())[:1])
            if not chosen:
                continue
            trainer, test = make_trainer(key, sets[key.dataset], options)
            for name, settings in chosen.items():
                folds = _folds(settings, len(trainer.cell.rows), options)
                with VARIANTS[options.variant]():
                    curve = measure(key, options.variant, name, settings, trainer, test, folds)
                table.add(curve)
                say(f"{key} {options.variant} {name}: {len(curve.arrays['right'])} epochs, {curve.facts['seconds']} s")
                if time.monotonic() > ends:
                    raise SystemExit(0)
            del trainer
            keras.backend.clear_session()
            gc.collect()
    print(markdown_table(summary(table.curves())), describe(), sep="\n\n")


def _folds(settings: TrialSettings, images: int, options: argparse.Namespace) -> int:
    if group_of(settings) == "last block":
        return options.folds
    return options.small_folds if images <= _FEW_IMAGES else options.large_folds


if __name__ == "__main__":
    main()
