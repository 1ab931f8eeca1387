"""Is the score that a study reports true? Whole studies, each winner's score in validation beside that on test images.

    python -m benchmarks.studies --dogs-cats FOLDER --minutes 60

A study is what the stages `profile` and `train` do of a cell: a data set, so many images a class, and a seed, which
draws the test split, the cell, its folds and the order of training. What it reports is the winner's balanced accuracy
in validation, corrected for its having been chosen, with an interval that says where the score on the test split lies.
The winner and the guide's best trial are refitted on all of the cell's images, and tested.

Adds a row per study to `studies.csv`; rows that are there are kept, so that it goes on where `--minutes` or an
interruption ended it. Then draws `studies.png` and prints how far what is reported is from the test, how often the
interval holds the test score, which depth groups won, and what the search gains over the guide's trial.
"""

import gc
import time

import keras
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from frostline.plots.style import INK, PALETTE, Picture, chart, legend

from .curves.cells import cell_keys, data_sets
from .measuring import Option, describe, finished, machine, markdown_table, parse, record
from .panel.summary import overall, points
from .study import DATA, Task, balanced_accuracy, whole_study

KEY = ["dataset", "per_class", "seed", "image_size", "effort"]


def main() -> None:
    options = parse(
        __doc__,
        **DATA,
        sizes=Option([50, 200], smallest=[8], help="images a class"),
        seeds=Option([20, 21, 22, 23, 24], smallest=[20]),
        image_size=Option(48, smallest=32, help="pixels"),
        effort=Option("quick", choices=["quick", "standard"]),
        minutes=Option(1e9, help="stop after the study that passes so many"),
    )
    results, ends = options.output / "studies.csv", time.monotonic() + 60 * options.minutes
    done, sets = finished(results, KEY), data_sets(options)
    for cell in cell_keys(options, sets):
        known = (cell.dataset, cell.per_class, cell.seed, options.image_size, options.effort)
        if known in done:
            continue
        found = run(Task.of(cell, sets[cell.dataset], options), options.effort)
        record(dict(zip(KEY, known, strict=True)) | found, results)
        if time.monotonic() > ends:
            raise SystemExit(0)
    rows = pd.read_csv(results)
    rows = rows[rows["image_size"] == options.image_size]
    figure(rows).savefig(results.with_suffix(".png"))
    print(markdown_table(honesty(rows)), markdown_table(depths(rows)), describe(), sep="\n\n")


def run(task: Task, effort: str) -> dict[str, object]:
    """A study, tested."""
    keras.utils.clear_session()
    gc.collect()
    started = time.perf_counter()
    study = whole_study(task, effort)
    seconds = time.perf_counter() - started
    found, best = study.record.validation, study.record.best
    right = task.right(study.winner)
    guide = task.right(study.guide) if study.guide else None
    return {
        "images": study.record.images,
        "validation": found.scheme,
        "raw": round(found.balanced_accuracy, 4),
        "reported": round(found.corrected.value, 4),
        "low": round(found.corrected.low, 4),
        "high": round(found.corrected.high, 4),
        "test": round(balanced_accuracy(right, task.test_labels), 4),
        "test_images": len(task.test),
        "group": best.group,
        "winner": ", ".join(f"{name}={value}" for name, value in best.params().items()),
        "regime": study.record.guide.regime,
        "guide": study.record.guide.strategy,
        "guide_test": None if guide is None else round(balanced_accuracy(guide, task.test_labels), 4),
        "undecided": ", ".join(group.group for group in study.record.undecided),
        "seconds": round(seconds, 1),
    } | machine()


def honesty(rows: pd.DataFrame) -> pd.DataFrame:
    """By effort and data set, and of all: what is reported less the test score, and how often the interval holds it."""
    parts = {f"{effort}, {dataset}": part for (effort, dataset), part in rows.groupby(["effort", "dataset"])}
    return pd.DataFrame(_honesty(name, part) for name, part in {**parts, "all": rows}.items())


def depths(rows: pd.DataFrame) -> pd.DataFrame:
    """By effort, data set and size: which depth groups won, and the test score less that of the guide's best trial."""
    lines = []
    for (effort, dataset, per_class), part in rows.groupby(["effort", "dataset", "per_class"]):
        gains = 100 * (part["test"] - part["guide_test"])
        lines.append(
            {
                "cell": f"{effort}, {dataset}-{per_class}",
                "winners": _counted(part["group"]),
                "guide": _counted(part["guide"].dropna()),
                "test": f"{part['test'].mean():.3f}",
                "ahead of the guide's, points": _points(gains.dropna().tolist()),
                "minutes": f"{part['seconds'].mean() / 60:.1f}",
            }
        )
    return pd.DataFrame(lines)


def figure(rows: pd.DataFrame) -> Picture:
    """What each study reported, with its interval, over its test score."""
    picture, axes = chart(7.5, 6, "What a study reports of its winner, and what the test says")
    for (dataset, own), color in zip(rows.groupby("dataset"), PALETTE.values(), strict=False):
        bounds = np.maximum(0, [own["reported"] - own["low"], own["high"] - own["reported"]])
        axes.errorbar(own["test"], own["reported"], yerr=bounds, fmt="o", color=color, label=dataset, alpha=0.7)
    ends = [rows[["test", "low"]].min().min(), rows[["test", "high"]].max().max()]
    axes.plot(ends, ends, color=INK, linewidth=1, label="true")
    axes.set_xlabel("test balanced accuracy")
    axes.set_ylabel("reported, with its 95% interval")
    legend(axes)
    return picture


def _honesty(name: str, part: pd.DataFrame) -> dict[str, object]:
    held = (part["low"] <= part["test"]) & (part["test"] <= part["high"])
    bounds = binomtest(int(held.sum()), len(part)).proportion_ci()
    return {
        "studies": name,
        "number": len(part),
        "reported less test, points": _points((100 * (part["reported"] - part["test"])).tolist()),
        "raw less test, points": _points((100 * (part["raw"] - part["test"])).tolist()),
        "intervals that hold the test score": f"{held.mean():.0%} [{bounds.low:.0%}, {bounds.high:.0%}]",
        "width, points": f"{100 * (part['high'] - part['low']).mean():.1f}",
    }


def _points(values: list[float]) -> str:
    return points(overall(values)) if values else ""


def _counted(values: "pd.Series[str]") -> str:
    return ", ".join(f"{name} {count}" for name, count in values.value_counts().items())


if __name__ == "__main__":
    main()
