"""How often the gate promotes: a challenger that is no better, and ones that are, by simulation.

    python -m benchmarks.gate

A champion is right on 85% of images of two classes, a challenger on so many points more; how hard an image is
moves both, so that they are wrong on many of the same ones (0.6 is the correlation of what decides). Each pair is
judged by `registry.gate.judge` with the committed level; calibration and latency are left out. A challenger must pass
both tests, and the randomisation test is asked first: where it refuses, the bootstrap is not computed.

Writes `gate.csv`, and prints two tables: the share of pairs that are promoted by the committed metric, and
by each metric the share of those that are no better, also where one image in twenty is of the rare class; with its
standard error.
"""

import numpy as np
import pandas as pd
from scipy.stats import norm

from frostline.config.load import load_config
from frostline.config.schema import PromotionConfig
from frostline.evaluation.intervals import randomisation_test
from frostline.registry.gate import Evidence, judge
from frostline.runtime.progress import track

from .measuring import Option, describe, markdown_table, parse

ACCURACY = 0.85
CORRELATION = 0.6
POINTS = (0, 1, 3, 5)
IMAGES = (200, 500, 1000, 2000)
METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
RARE = (0.5, 0.05)


def main() -> None:
    options = parse(__doc__, pairs=Option(1000, smallest=5, help="that are no better; a fifth of others"))
    config = load_config().promotion
    committed = [(config.metric, 0.5, images, points) for images in IMAGES for points in POINTS]
    others = [(metric, rare, IMAGES[0], 0) for metric in METRICS for rare in RARE]
    rows = []
    for metric, rare, images, points in dict.fromkeys(committed + others):
        pairs = options.pairs if points == 0 else options.pairs // 5
        judged = config.model_copy(update={"metric": metric, "floors": {}, "calibration_error": 1.0, "latency": 1e9})
        what = f"{metric}, {images} images, {points} points better"
        seeds = track(range(pairs), what, pairs)
        share = np.mean([promoted(images, points / 100, rare, seed, judged) for seed in seeds])
        error = np.sqrt(share * (1 - share) / pairs)
        case = {"metric": metric, "rare": rare, "images": images, "points": points}
        rows.append(case | {"pairs": pairs, "promoted": share, "error": error})
    table = pd.DataFrame(rows)
    table.round(4).to_csv(options.output / "gate.csv", index=False)
    table["shown"] = table["promoted"].map("{:.3f}".format) + " ± " + table["error"].map("{:.3f}".format)
    powers = table[(table["metric"] == config.metric) & (table["rare"] == 0.5)]
    wide = powers.pivot_table(index="images", columns="points", values="shown", aggfunc="first")
    levels = table[(table["points"] == 0) & (table["images"] == IMAGES[0])]
    by_metric = levels.pivot_table(index="metric", columns="rare", values="shown", aggfunc="first", sort=False)
    print(
        markdown_table(wide.rename(columns="{} points better".format).reset_index()),
        markdown_table(by_metric.rename(columns="{:.0%} of the rare class".format).reset_index()),
        describe(),
        sep="\n\n",
    )


def promoted(images: int, better: float, rare: float, seed: int, config: PromotionConfig) -> bool:
    """Whether one pair of classifiers ends in a promotion."""
    rng = np.random.default_rng([seed, images, round(1000 * better)])
    labels = (rng.random(images) < rare).astype(np.int64)
    hard = rng.standard_normal(images)
    own = rng.standard_normal((2, images))
    score = np.sqrt(CORRELATION) * hard + np.sqrt(1 - CORRELATION) * own
    # A logistic curve through the point where it is right: sure of what lies far from it.
    sure = 1 / (1 + np.exp(-2 * (norm.ppf([[ACCURACY + better], [ACCURACY]]) - score)))
    answers = [np.where(np.eye(2)[labels] == 1, each[:, None], 1 - each[:, None]) for each in sure]
    groups = np.arange(images)
    if randomisation_test(labels, *answers, groups, config.metric, seed) > config.level:
        return False
    challenger, champion = (Evidence(each, 1.0) for each in answers)
    return judge(labels, groups, challenger, champion, config, seed).passed


if __name__ == "__main__":
    main()
