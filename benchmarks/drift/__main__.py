"""How often `frostline drift` cries wolf, what it sees, and what it calls it.

    python -m benchmarks.drift --dogs-cats FOLDER

trains a head on some images of a set, and asks it about the test split and the images that are then left. Draws of
these are compared with the test images: as they are, and after a change (`changes.py`). Draws have the test split's
shares of classes, but for the class that vanishes. Pictures as they are, and what stands for the test images, are
drawn anew from all that the network has not seen: with one split, its luck would show in every draw.

Answers are computed once for each change. Adds rows to `drift.csv` as it goes on, where those that are there are kept;
writes `drift-intervals.csv` (`intervals.py`), and prints tables of both.
"""

import argparse
from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd

from frostline.evaluation.drift import FEWEST

from ..label_errors import heads_alone
from ..measuring import Option, append, describe, finished, markdown_table, parse, record
from ..sets import OPTIONS, SPLIT, packed_sets
from ..training import changed
from .asked import Asked, ask
from .changes import DEGREES, SAME
from .intervals import coverage

FILE, INTERVALS = "drift.csv", "drift-intervals.csv"
KEY = ["dataset", "change", "degree", "pictures"]

Case = tuple[str, float, int]
"""A change, its degree, and the number of pictures in a draw."""


def main() -> None:
    options = parse(
        __doc__,
        **OPTIONS | {"per_class": Option(250, smallest=4, help="images of a class to train on")},
        heads=Option(16, smallest=3, help="in the study"),
        altered=Option(600, smallest=60, help="so many images are blurred, darkened and compressed at most"),
        pictures=Option([50, 100, 500], smallest=[FEWEST], help="in a draw"),
        draws=Option(200, smallest=2, help="of pictures as they are; half as many of each change"),
        resamples=Option(200, smallest=5, help="of each bootstrap"),
    )
    file, known = options.output / FILE, finished(options.output / FILE, KEY)
    cases = [(*case, number) for case in _cases() for number in options.pictures]
    base = changed(heads_alone(options), "search", views=("identity",))
    for name, (config, packed) in packed_sets(base, options).items():
        if missing := [case for case in cases if (name, *case) not in known]:
            asked = ask(config, packed, options)
            for row in measured(asked, missing, options):
                record({"dataset": name} | row, file)
    (options.output / INTERVALS).unlink(missing_ok=True)
    append(list(coverage(options.pictures, options.draws, options.resamples, SPLIT)), options.output / INTERVALS)
    intervals = pd.read_csv(options.output / INTERVALS).drop(columns="draws")
    print(markdown_table(summary(pd.read_csv(file))), markdown_table(intervals), describe(), sep="\n\n")


def _cases() -> list[tuple[str, float]]:
    return [case for change, degrees in DEGREES.items() for case in product([change], degrees)]


def measured(asked: Asked, cases: list[Case], options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """A row for each of the cases that there are pictures for."""
    for change, degree, pictures in cases:
        if asked.has_enough(change, pictures) or options.smallest:
            draws = options.draws if change == SAME else options.draws // 2
            key = {"change": change, "degree": degree, "pictures": pictures, "draws": draws}
            yield key | counts(asked, (change, degree, pictures), draws)


def counts(asked: Asked, case: Case, draws: int) -> dict[str, object]:
    """In how many draws drift was seen, and in how many it was called one of the pictures."""
    rng = np.random.default_rng(SPLIT)
    found = [asked.drawn(*case, rng) for _ in range(draws)]
    return {
        "seen": sum(each.seen for each in found),
        "other_pictures": sum(each.verdict == "other pictures" for each in found),
        "reference": found[0].reference,
        "accuracy": round(asked.accuracy, 3),
    }


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """For each change the share of draws in which drift was seen; after a slash, called one of the pictures."""
    seen, other = (found[column] / found["draws"] for column in ("seen", "other_pictures"))
    degree = found["degree"].map("{:g}".format).where(found["change"] != SAME, "")
    table = found.assign(degree=degree, told=seen.map("{:.3g}".format) + " / " + other.map("{:.3g}".format))
    index = ["dataset", "change", "degree"]
    wide = table.pivot(index=index, columns="pictures", values="told").reset_index()
    wide.columns = [f"{name} pictures" if isinstance(name, int) else name for name in wide.columns]
    return table.drop_duplicates(index)[index].merge(wide, on=index)


if __name__ == "__main__":
    main()
