"""From how many images on does training every block pay? The calibration of `profile.large_per_class`.

    python -m benchmarks.sizes --dogs-cats FOLDER

trains `fine_tune` and the two heads on frozen blocks on cells of 50 to 400 images per class, over several seeds.
`fine_tune` is trained until that no longer helps, as in `regimes.py`. Writes `sizes.csv` as it goes on (rows that
are there are kept), draws `sizes.png`, and prints the table of `regimes.md` and how long the training took.
"""

import pandas as pd
from matplotlib.figure import Figure

from frostline.config.schema import ProfileConfig
from frostline.plots.style import INK, chart, legend

from .measuring import Option, finished, markdown_table, parse, record
from .regimes import DOGS_CATS, mean_and_range, parameters, train_and_test
from .training import guide_settings, make_trainer, pack

HEADS = ["end_of_convnet", "start_of_convnet"]
KEY = ["seed", "dataset", "per_class", "strategy"]


def main() -> None:
    options = parse(
        __doc__,
        dogs_cats=DOGS_CATS,
        seeds=Option([20, 21, 22], smallest=[20]),
        per_class=Option([50, 100, 200, 400], smallest=[4]),
    )
    results = options.output / "sizes.csv"
    done = finished(results, KEY)
    for seed in options.seeds:
        config = parameters(options).model_copy(update={"seed": seed})
        for dataset in config.datasets:
            packed = pack(config, dataset, options.work, few=options.smallest)
            for per_class in options.per_class:
                trainer = make_trainer(config, packed, per_class)
                for strategy in [*HEADS, "fine_tune"]:
                    key = dict(zip(KEY, (seed, dataset, per_class, strategy), strict=True))
                    if tuple(key.values()) not in done:
                        settings = guide_settings(strategy, config.search, trainer.backbone.depth)
                        record(key | train_and_test(trainer, settings, seed), results)
    scores = pd.read_csv(results)
    gains = gain(scores)
    figure(gains).savefig(results.with_suffix(".png"))
    points = gains.groupby(["dataset", "per_class"])["points"].agg(mean_and_range).unstack("per_class")
    table = markdown_table(points.rename(columns="{} per class".format).reset_index())
    print(table, f"{scores['seconds'].sum() / 60:.0f} minutes of training", sep="\n\n")


def gain(scores: pd.DataFrame) -> pd.DataFrame:
    """Points that `fine_tune` has over the better head of the same data set, size and seed."""
    wide = scores.pivot_table(index=KEY[:3], columns="strategy", values="balanced_accuracy").reset_index()
    return wide.assign(points=100 * (wide["fine_tune"] - wide[HEADS].max(axis=1)))


def figure(gains: pd.DataFrame) -> Figure:
    picture, axes = chart(7.5, 4.5, "What training every block gains over a head on frozen blocks")
    for (dataset, rows), marker in zip(gains.groupby("dataset"), "os", strict=False):
        mean = rows.groupby("per_class")["points"].mean()
        line = axes.plot(mean.index, mean, marker=marker, label=dataset)[0]
        axes.scatter(rows["per_class"], rows["points"], color=line.get_color(), marker=marker, s=14, alpha=0.6)
    axes.axhline(0, color=INK, linewidth=1)
    axes.axvline(ProfileConfig().large_per_class, color=INK, linewidth=1, linestyle="--", label="large from here on")
    axes.set_xscale("log")
    sizes = sorted(gains["per_class"].unique())
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("images per class")
    axes.set_ylabel("points of test balanced accuracy")
    legend(axes)
    return picture


if __name__ == "__main__":
    main()
