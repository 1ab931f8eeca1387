"""frostline against what a competent person does by hand, and against a plain search that is given the same time.

    python -m benchmarks.panel --dogs-cats FOLDER --minutes 60

In every cell (data sets x `--sizes` images a class x `--seeds`) each method gets the same packed images, test split,
VGG16 weights and precision, and all of the cell's images:

- `regression`: logistic regression on the averages of the last block's features, its strength by cross-validation;
- `keras-guide`: the recipe of keras.io's "Transfer learning & fine-tuning" (frozen backbone, augmentation, dropout 0.2,
  Adam, 20 epochs; then the last block at 1e-5 for 10), a fifth of the images held out to be looked at;
- `keras-guide-all`: the same on all images;
- `frostline-quick`, `frostline-standard`: a whole study, from the profile to the refitted winner, with nothing cached;
- `bit`: BiT-HyperRule (arXiv 1912.11370), its schedule made to fit into the seconds of `frostline-standard`;
- `optuna`: TPE with the median pruner over a network as people write it, given those seconds, and a refit on top.

Adds a row per cell and method to `panel.csv`; rows that are there are kept, so that it goes on where `--minutes` or an
interruption ended it. Then draws `panel.png` and prints test balanced accuracy, seconds, and by how many points
`frostline-standard` is ahead. Seconds are of training alone, without the test.
"""

import gc
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import keras
import pandas as pd

from ..curves.cells import cell_keys, data_sets
from ..measuring import Option, describe, finished, machine, markdown_table, parse, record
from ..study import DATA, Task, balanced_accuracy, whole_study
from .plain import optuna_search
from .recipes import Fitted, bit, keras_guide, keras_guide_all, regression
from .summary import OURS, clearly_ahead, difference_table, figure, pack_answers, score_table

KEY = ["dataset", "per_class", "seed", "image_size", "method"]
Method = Callable[[Task, float], Fitted]


def frostline(task: Task, _: float, *, effort: str) -> Fitted:
    study = whole_study(task, effort)
    best, epochs = study.record.best, study.record.best.epochs
    chosen = ", ".join(f"{name}={value}" for name, value in best.params().items())
    return Fitted(study.winner, f"trial {best.trial}: {chosen}, epochs={epochs}")


METHODS: Mapping[str, Method] = {
    "regression": regression,
    "keras-guide": keras_guide,
    "keras-guide-all": keras_guide_all,
    "frostline-quick": partial(frostline, effort="quick"),
    OURS: partial(frostline, effort="standard"),
    "bit": bit,
    "optuna": optuna_search,
}
"""The cheapest first."""
TIMED = ("bit", "optuna")  # these are given the seconds of OURS


def main() -> None:
    options = parse(
        __doc__,
        **DATA,
        sizes=Option([50, 200], smallest=[8], help="images a class"),
        seeds=Option([20, 21], smallest=[20]),
        image_size=Option(64, smallest=32, help="pixels"),
        methods=Option(list(METHODS), smallest=["regression", "keras-guide", OURS, *TIMED], choices=list(METHODS)),
        seconds=Option(kind=float, smallest=2.0, help=f"of {' and '.join(TIMED)}; else those of {OURS}"),
        minutes=Option(1e9, help="stop after the row that passes so many"),
    )
    results, ends = options.output / "panel.csv", time.monotonic() + 60 * options.minutes
    sets = data_sets(options)
    for key in cell_keys(options, sets):
        known = (key.dataset, key.per_class, key.seed, options.image_size)
        left = [name for name in METHODS if name in options.methods and (*known, name) not in finished(results, KEY)]
        if not left:
            continue
        task = Task.of(key, sets[key.dataset], options)
        for name in left:
            allowed = (options.seconds or seconds_of((*known, OURS), results)) if name in TIMED else math.inf
            record(dict(zip(KEY, (*known, name), strict=True)) | run(METHODS[name], task, allowed), results)
            if time.monotonic() > ends:
                raise SystemExit(0)
    rows = pd.read_csv(results)
    rows = rows[rows["image_size"] == options.image_size]
    figure(rows).savefig(results.with_suffix(".png"))
    tables = (
        score_table(rows, "balanced_accuracy", "{:.3f}"),
        score_table(rows, "seconds", "{:.0f}"),
        difference_table(rows),
    )
    print(*map(markdown_table, tables), clearly_ahead(rows), describe(), sep="\n\n")


def run(method: Method, task: Task, allowed: float) -> dict[str, object]:
    """What a method gives on the task's test images, and the seconds until it can be asked."""
    keras.utils.clear_session()
    gc.collect()
    started = time.perf_counter()
    fitted = method(task, allowed)
    seconds = time.perf_counter() - started
    right = task.right(fitted.predict)
    measured = {
        "images": len(task.rows),
        "balanced_accuracy": round(balanced_accuracy(right, task.test_labels), 4),
        "accuracy": round(float(right.mean()), 4),
        "seconds": round(seconds, 1),
        "allowed_seconds": allowed if math.isfinite(allowed) else None,
        "settings": fitted.settings,
    }
    return measured | pack_answers(right, task.test_labels) | machine()


def seconds_of(key: tuple[object, ...], results: Path) -> float:
    """The seconds of the row with this key. Ends the benchmark where there is none."""
    if key not in finished(results, KEY):
        raise SystemExit(f"{' and '.join(TIMED)} are given the seconds of {OURS}, which has not run in this cell yet.")
    return float(pd.read_csv(results).set_index(KEY).loc[key, "seconds"])


if __name__ == "__main__":
    main()
