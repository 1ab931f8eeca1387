"""How often the gate promotes: a challenger that is no better, and ones that are, by simulation.

    python benchmarks/gate.py

A champion is right on 85% of images of two classes, a challenger on so many points more; how hard an image is
moves both, so that they are wrong on many of the same ones (0.6 is the correlation of what decides). Each pair is
judged by `registry.gate.judge` with the committed level and metric; calibration and latency are left out. A challenger
must pass both tests, and McNemar's is asked first: where it refuses, the bootstrap is not computed.

Writes `docs/results/gate.csv`, and prints a table: the share of pairs that are promoted, with its standard error.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from frostline.config import PromotionConfig
from frostline.evaluation.intervals import mcnemar
from frostline.params import load_config
from frostline.progress import track
from frostline.registry.gate import Evidence, judge
from machine import describe, markdown_table

RESULTS = Path("docs/results/gate.csv")
ACCURACY = 0.85
CORRELATION = 0.6
POINTS = (0, 1, 3, 5)
IMAGES = (200, 500, 1000, 2000, 5000)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pairs", type=int, default=1000, help="of each kind that is no better; a fifth of others")
    options = arguments.parse_args()
    config = load_config().promotion
    rows = []
    for images in IMAGES:
        for points in POINTS:
            pairs = options.pairs if points == 0 else options.pairs // 5
            what = f"{images} images, {points} points better"
            share = np.mean([promoted(images, points / 100, seed, config) for seed in track(range(pairs), what, pairs)])
            error = np.sqrt(share * (1 - share) / pairs)
            rows.append({"images": images, "points": points, "pairs": pairs, "promoted": share, "error": error})
    table = pd.DataFrame(rows)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    table.round(4).to_csv(RESULTS, index=False)
    table["shown"] = table["promoted"].map("{:.3f}".format) + " ± " + table["error"].map("{:.3f}".format)
    wide = table.pivot_table(index="images", columns="points", values="shown", aggfunc="first")
    print(markdown_table(wide.rename(columns="{} points better".format).reset_index()), describe(), sep="\n\n")


def promoted(images: int, better: float, seed: int, config: PromotionConfig) -> bool:
    """Whether one pair of classifiers ends in a promotion."""
    rng = np.random.default_rng([seed, images, round(1000 * better)])
    labels = rng.integers(0, 2, images)
    hard = rng.standard_normal(images)
    own = rng.standard_normal((2, images))
    score = np.sqrt(CORRELATION) * hard + np.sqrt(1 - CORRELATION) * own
    right = score < norm.ppf([[ACCURACY + better], [ACCURACY]])
    gained, lost = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    if mcnemar(gained, lost) > config.level:
        return False
    alone = config.model_copy(update={"floors": {}, "calibration_error": 1.0, "latency": 1e9})
    challenger, champion = (Evidence(np.eye(2)[np.where(each, labels, 1 - labels)], 1.0) for each in right)
    return judge(labels, np.arange(images), challenger, champion, alone, seed).passed


if __name__ == "__main__":
    main()
