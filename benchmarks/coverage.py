"""How often 95% intervals of an evaluation cover the truth, by simulation.

    python benchmarks/coverage.py

Test sets of two classes, one image in three positive, with probabilities that are too sure of themselves; the truth is
measured on 400,000 images. Writes `docs/results/coverage.csv` and prints a table: the share of intervals that cover it,
whose standard error is 0.007 at 1,000 test sets.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frostline.evaluation.intervals import intervals
from frostline.evaluation.metrics import METRICS, measure
from frostline.runtime.progress import track
from machine import describe, markdown_table

RESULTS = Path("docs/results/coverage.csv")
IMAGES = (200, 650)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sets", type=int, default=1000)
    options = arguments.parse_args()
    labels, probabilities = draw(np.random.default_rng(0), 400_000)
    truth = {metric: measure(metric, labels, probabilities) for metric in METRICS}
    table = pd.DataFrame({"metric": list(METRICS), "truth": [round(truth[metric], 4) for metric in METRICS]})
    for images in IMAGES:
        covered = dict.fromkeys(METRICS, 0)
        for seed in track(range(options.sets), f"{images} images", options.sets):
            found = intervals(*draw(np.random.default_rng([seed, images]), images), np.arange(images), seed)
            for metric, interval in found.items():
                covered[metric] += interval.low <= truth[metric] <= interval.high
        table[f"{images} images"] = [covered[metric] / options.sets for metric in METRICS]
    table = table[table["metric"] != "calibration_error"]  # it has no interval
    table.to_csv(RESULTS, index=False)
    print(markdown_table(table), describe(), sep="\n\n")


def draw(rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    labels = (rng.random(count) < 1 / 3).astype(np.int64)
    scores = 1 / (1 + np.exp(-(1.5 * (2 * labels - 1) + 1.5 * rng.standard_normal(count))))
    return labels, np.stack([1 - scores, scores], axis=1)


if __name__ == "__main__":
    main()
