"""Does the shift say which strategy serves? A backbone's verdict on data sets beside what two strategies give there.

    python -m benchmarks.similarity --backbone inceptionv3 --weights FILE --dogs-cats FOLDER --imagenet-sample FOLDER

measures, for each data set and image size, the shift of 400 images, and for five draws of 50 images a class among them
what the probe and the guide say, and what a head really gives on the images that are left: on the last block, as
`end_of_convnet` puts it, and on the block of the cut, as `start_of_convnet` does. The head is the probe's: a ridge
classifier on pooled features. Fine-tuning is too dear here. Adds its rows to `similarity.csv` as it goes on (those that
are there are kept, so that several backbones share the file), draws `similarity.png`, and prints the table of
`shift.md`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import t
from sklearn.linear_model import RidgeClassifierCV
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from frostline.backbones.surgery import build_backbone
from frostline.config.schema import BackboneConfig, ProfileConfig
from frostline.data.images import decode, to_square
from frostline.data.sources.elpv import ElpvSource
from frostline.plots.style import INK, PALETTE, Picture, legend, plainly, style
from frostline.records.profile import CellProfile
from frostline.regimes.cells import CellImages, measure_distance, profile_cell
from frostline.regimes.comparison import Comparison, Measurement, prepare_comparison
from frostline.runtime.precision import resolve_precision
from frostline.runtime.progress import say
from frostline.statistics.interval import Interval

from .measuring import Option, append, finished, markdown_table, parse
from .sets import DOGS_CATS
from .shift import edges
from .training import BACKBONE

SEED = 20
KEY = ["backbone", "set", "pixels"]
LAST_ANIMAL = "n02655020"  # the puffer: WordNet's ids of ImageNet's animals end here, and those of things begin
FIRST_OF_THE_REST = "n06"
TICKS = (0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1, 2)
PENALTIES = tuple(10.0**exponent for exponent in range(-1, 6))
Open = Callable[[], Image.Image]


@dataclass(frozen=True)
class Pictures:
    """What opens the pictures of each of two classes, and their usual shorter side in pixels."""

    classes: Sequence[Sequence[Open]]
    side: int

    def draw(self, per_class: int, pixels: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images [N, S, S, 3] and their labels: of each class as many."""
        rng = np.random.default_rng(SEED)
        chosen = [
            (opens[each], label)
            for label, opens in enumerate(self.classes)
            for each in rng.permutation(len(opens))[:per_class]
        ]
        images = np.stack([to_square(opens().convert("RGB"), pixels, "stretch") for opens, _ in chosen])
        return images, np.array([label for _, label in chosen], dtype=np.int64)


def main() -> None:
    options = parse(
        __doc__,
        backbone=Option(BACKBONE, help="a Keras application"),
        weights=Option("imagenet", help="imagenet, or a weights file"),
        sizes=Option([75, 96, 128, 160, 224, 299], smallest=[32], help="image sizes in pixels"),
        images=Option(200, smallest=12, help="of each class"),
        train=Option(50, smallest=8, help="images of each class that a head is trained on"),
        draws=Option(5, smallest=2),
        dogs_cats=DOGS_CATS,
        imagenet_sample=Option(kind=Path, help="a folder of ImageNet pictures"),
    )
    file = options.output / "similarity.csv"
    done = finished(file, KEY)
    for pixels in options.sizes:
        config = BackboneConfig(weights=options.weights, image_size=pixels)
        backbone = build_backbone(options.backbone, config, precision=resolve_precision("auto"))
        for name, pictures in sets(options.dogs_cats, options.imagenet_sample).items():
            key = dict(zip(KEY, (options.backbone, name, pixels), strict=True))
            if tuple(key.values()) not in done:
                say(", ".join(map(str, key.values())))
                images, labels = pictures.draw(options.images, pixels)
                comparison = prepare_comparison(options.backbone, config, backbone, [pictures.side])
                measured = comparison.measure(images)
                append([key | row for row in study(comparison, measured, labels, options.train, options.draws)], file)
    table = summary(pd.read_csv(file))
    figure(table).savefig(file.with_suffix(".png"))
    print(markdown_table(shown(table)))


def sets(dogs_cats: Path | None, imagenet_sample: Path | None) -> Mapping[str, Pictures]:
    """Those that can be had, by name: the most similar to ImageNet first."""
    found = {}
    if imagenet_sample:
        files = sorted(imagenet_sample.glob("*.jpg"))
        animals = [file for file in files if file.name[: len(LAST_ANIMAL)] <= LAST_ANIMAL]
        things = [file for file in files if LAST_ANIMAL < file.name[: len(LAST_ANIMAL)] < FIRST_OF_THE_REST]
        found["ImageNet, animal or thing"] = Pictures([opened(animals), opened(things)], 256)
    else:
        say("The ImageNet sample is left out: --imagenet-sample names its folder.")
    if dogs_cats:
        both = [sorted(folder.glob("*.jpg")) for folder in sorted(dogs_cats.iterdir())]
        found["dogs and cats"] = Pictures([opened(files) for files in both], 300)
        found["dogs and cats, edges only"] = Pictures([opened(files, edges) for files in both], 300)
    else:
        say("The dogs and cats are left out: --dogs-cats names their folder.")
    solar = ElpvSource.find(threshold=0.5)
    cells: dict[str, list[Path]] = {}
    for record in solar.records():
        cells.setdefault(record.label, []).append(solar.root / record.image)
    return found | {
        "digits, even or odd": Pictures(digits(), 8),
        "solar cells": Pictures([opened(files) for files in cells.values()], 300),
    }


def opened(files: Sequence[Path], change: Callable[[Image.Image], Image.Image] = lambda image: image) -> list[Open]:
    return [partial(lambda file: change(decode(file, min_side=1, max_pixels=10**8)), file) for file in files]


def digits() -> list[list[Open]]:
    from sklearn.datasets import load_digits

    pictures, numbers = load_digits(return_X_y=True)
    grey = (pictures.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return [[partial(Image.fromarray, each) for each in grey[numbers % 2 == odd]] for odd in (0, 1)]


def study(
    comparison: Comparison, measured: Measurement, labels: NDArray[np.int64], train: int, draws: int
) -> list[dict[str, object]]:
    """A row for all images (draw 0), and one for each draw: its profile, and the scores of heads on each block."""
    groups = np.arange(len(labels)).astype(str)
    distance = measure_distance(comparison, measured.compared, groups.tolist(), ProfileConfig(), SEED)

    def profile(rows: NDArray[np.int64]) -> dict[str, object]:
        images = CellImages(labels[rows], groups[rows].tolist(), np.bincount(labels[rows]).tolist())
        return facts(profile_cell(comparison, distance, measured.seen.of(rows), images, ProfileConfig(), SEED))

    rows = [{"draw": 0} | profile(np.arange(len(labels))) | {"scores": ""}]
    for draw in range(1, draws + 1):
        rng = np.random.default_rng((SEED, draw))
        ranks = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
        few, rest = (
            np.concatenate(part) for part in zip(*((each[:train], each[train:]) for each in ranks), strict=True)
        )
        scores = [head_score(block[few], labels[few], block[rest], labels[rest]) for block in measured.seen.pooled]
        rows.append({"draw": draw} | profile(few) | {"scores": " ".join(f"{score:.4f}" for score in scores)})
    return rows


def facts(cell: CellProfile) -> dict[str, object]:
    missing = Interval(value=np.nan, low=np.nan, high=np.nan)
    bounds = {
        f"{name}_{part}": round(value, 4)
        for name, interval in (("shift", cell.shift), ("probe_gain", cell.gain))
        for part, value in (interval or missing).model_dump().items()
    }
    told = {"similarity": cell.similarity, "first": cell.strategies[0], "peak": cell.peak, "cut": cell.cut}
    return {"images": cell.probed} | bounds | told


def head_score(
    features: NDArray[np.float32], labels: NDArray[np.int64], others: NDArray[np.float32], truth: NDArray[np.int64]
) -> float:
    """Balanced accuracy on `others` of a ridge classifier on standardised `features`, as the probe fits it."""
    head = make_pipeline(StandardScaler(), RidgeClassifierCV(PENALTIES, class_weight="balanced"))
    with threadpool_limits(1):  # as in `profile_cell`
        head.fit(features.astype(np.float64), labels)
        return float(balanced_accuracy_score(truth, head.predict(others.astype(np.float64))))


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per backbone, set and size: what is said of all images, and the draws' mean scores, in per cent."""
    found = []
    for key, group in rows.groupby(KEY, sort=False):
        whole, draws = group[group["draw"] == 0].iloc[0], group[group["draw"] > 0]
        scores = 100 * np.array([[float(score) for score in each.split()] for each in draws["scores"]])
        last, cut = scores[:, -1], scores[np.arange(len(draws)), draws["cut"].astype(int) - 1]
        margin = t.ppf(0.975, len(draws) - 1) * (cut - last).std(ddof=1) / np.sqrt(len(draws))
        gain = Interval(value=(cut - last).mean(), low=(cut - last).mean() - margin, high=(cut - last).mean() + margin)
        first = np.where(draws["first"] == "start_of_convnet", cut, last)
        found.append(
            dict(zip(KEY, key, strict=True))
            | {"shift": interval(whole, "shift"), "verdict": whole["similarity"], "gain": gain, "draws": len(draws)}
            | {"peak": f"{whole['peak']:.0f} of {scores.shape[1]}", "probe": interval(whole, "probe_gain")}
            | {"last": last.mean(), "cut": cut.mean(), "first": first.mean()}
            | {"cut_first": (draws["first"] == "start_of_convnet").sum()}
        )
    return pd.DataFrame(found)


def interval(row: pd.Series, name: str) -> Interval:
    return Interval(**{part: row[f"{name}_{part}"] for part in ("value", "low", "high")})


def contradicted(verdict: str, gain: Interval) -> bool:
    """Whether what a cut clearly gains or loses speaks against the guide's row for a small cell."""
    return (verdict == "similar" and gain.low > 0) or (verdict == "different" and gain.high < 0)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The same as people read it."""

    def points(gain: Interval, unit: float = 1) -> str:
        return f"{unit * gain.value:+.1f} [{unit * gain.low:+.1f}, {unit * gain.high:+.1f}]"

    return pd.DataFrame(
        {
            "backbone": row.backbone,
            "set": row.set,
            "px": row.pixels,
            "shift": str(row.shift),
            "verdict": row.verdict + " (!)" * contradicted(row.verdict, row.gain),
            "probe's peak": row.peak,
            "cut over last, by the probe": points(row.probe, 100),
            "last block": f"{row.last:.1f}",
            "cut": f"{row.cut:.1f}",
            "cut over last, measured": points(row.gain),
            "cut tried first": f"{row.cut_first} of {row.draws}",
            "tried first": f"{row.first:.1f}",
        }
        for row in table.itertuples()
    )


@plainly()
def figure(table: pd.DataFrame) -> Figure:
    """The gain of cutting over the shift: a panel a backbone, a colour and marker a set, a point an image size."""
    backbones, names = table["backbone"].unique(), table["set"].unique()
    picture = Picture(6.0 * len(backbones) + 2.5, 5.0)
    looks = {name: look for name, *look in zip(names, PALETTE.values(), "osD^v", strict=False)}
    for axes, backbone in zip(np.ravel(picture.subplots(1, len(backbones), sharey=True)), backbones, strict=True):
        style(axes, f"What cutting gains, by shift: {backbone}")
        own = table[table["backbone"] == backbone]
        for name, rows in own.groupby("set", sort=False):
            colour, marker = looks[name]
            shift, gain = [each.value for each in rows["shift"]], [each.value for each in rows["gain"]]
            errors = [
                [each.value - each.low for each in rows["gain"]],
                [each.high - each.value for each in rows["gain"]],
            ]
            axes.errorbar(shift, gain, errors, fmt=marker, color=colour, capsize=2, elinewidth=0.8, label=name)
            for pixels, *point in zip(rows["pixels"], shift, gain, strict=True):
                axes.annotate(str(pixels), point, (4, 4), textcoords="offset points", fontsize=7)
        axes.axhline(0, color=INK, linewidth=1)
        axes.set_xscale("symlog", linthresh=0.01)
        axes.set_xticks([tick for tick in TICKS if tick >= min(each.value for each in own["shift"]) / 2])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(min(axes.get_xticks()) - 0.001)
        axes.set_xlabel("shift of 400 images (labels: image size in pixels)")
    picture.axes[0].set_ylabel("points: head on the cut less head on the last block")
    legend(axes)
    return picture


if __name__ == "__main__":
    main()
