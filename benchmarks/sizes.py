"""From how many images on does training every block pay? The calibration of `profile.large_per_class`.

    python benchmarks/sizes.py --dogs-cats FOLDER

trains `fine_tune` and the two heads on frozen blocks on cells of 50 to 400 images per class, over several seeds.
`fine_tune` costs the same at every size (`train.budget` images through every block, of `regimes.yaml`): the more
images, the fewer epochs. Heads cost little and train for `train.epochs`. Writes `docs/results/sizes.csv` as it goes on
(rows that are there are kept), draws `sizes.png`, and prints the table of `regimes.md` and how long the training took.
"""

import argparse
from pathlib import Path

from frostline.runtime.environment import set_defaults

set_defaults()

import pandas as pd
from matplotlib.figure import Figure

from frostline.config.load import load_config
from frostline.config.schema import ProfileConfig
from frostline.plots.style import INK, chart, legend
from frostline.search.space import guide_settings
from frostline.training.trial import epochs_within_budget
from regimes import FOLDER, HERE, append, finished, make_trainer, pack, train_and_test, with_pets

RESULTS = FOLDER / "sizes.csv"
HEADS = ["end_of_convnet", "start_of_convnet"]
KEY = ["seed", "dataset", "per_class", "strategy"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--dogs-cats", type=Path, required=True, help="the folder that holds cat/ and dog/")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    arguments.add_argument("--per-class", type=int, nargs="+", default=[50, 100, 200, 400])
    options = arguments.parse_args()
    done = finished(RESULTS, KEY)
    for seed in options.seeds:
        config = with_pets(load_config(HERE / "regimes.yaml"), options.dogs_cats).model_copy(update={"seed": seed})
        for dataset in config.datasets:
            packed = pack(config, dataset)
            for per_class in options.per_class:
                trainer = make_trainer(config, packed, per_class)
                for strategy in [*HEADS, "fine_tune"]:
                    key = dict(zip(KEY, (seed, dataset, per_class, strategy), strict=True))
                    if tuple(key.values()) not in done:
                        settings = guide_settings(strategy, config.search, trainer.backbone.depth)
                        share = 1.0 if settings.thaw else 0.0  # and of all rows: none are held out here
                        epochs = epochs_within_budget(config.train, share, len(trainer.cell.all_rows))
                        append(key | train_and_test(trainer, settings, epochs, seed), RESULTS)
    scores = pd.read_csv(RESULTS)
    gains = gain(scores)
    figure(gains).savefig(RESULTS.with_suffix(".png"))
    print(table(gains), f"{scores['seconds'].sum() / 60:.0f} minutes of training", sep="\n\n")


def gain(scores: pd.DataFrame) -> pd.DataFrame:
    """Points that `fine_tune` has over the better head of the same data set, size and seed."""
    wide = scores.pivot_table(index=KEY[:3], columns="strategy", values="balanced_accuracy").reset_index()
    return wide.assign(points=100 * (wide["fine_tune"] - wide[HEADS].max(axis=1)))


def table(gains: pd.DataFrame) -> str:
    sizes = sorted(gains["per_class"].unique())
    lines = [
        "| data set | " + " | ".join(f"{size} per class" for size in sizes) + " |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    for dataset, rows in gains.groupby("dataset"):
        points = [rows[rows["per_class"] == size]["points"] for size in sizes]
        shown = [f"{each.mean():+.1f} ({each.min():+.1f} to {each.max():+.1f})" for each in points]
        lines.append(f"| {dataset} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def figure(gains: pd.DataFrame) -> Figure:
    picture, axes = chart(7.5, 4.5, "What training every block gains over a head on frozen blocks")
    for (dataset, rows), marker in zip(gains.groupby("dataset"), "os", strict=True):
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
