"""What the panel shows: scores, and by how much frostline is better, with 95% intervals; as tables and as a picture."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from frostline.plots.style import INK, PALETTE, Picture, legend, plainly, style
from frostline.statistics.interval import Interval

OURS = "frostline-standard"
CELL = ["dataset", "per_class"]
RESAMPLES = 4000


def pack_answers(right: NDArray[np.bool_], labels: NDArray[np.int64]) -> dict[str, str]:
    """Columns for `right` [T], of test images of ascending `labels` [T]: so many of each class, and bits in hex."""
    return {"test_images": "/".join(map(str, np.bincount(labels))), "right": np.packbits(right).tobytes().hex()}


def answers(row: "pd.Series[object]") -> list[NDArray[np.bool_]]:
    """Of a row with such columns, which test images of each class were named rightly."""
    counts = [int(count) for count in str(row["test_images"]).split("/")]
    bits = np.frombuffer(bytes.fromhex(str(row["right"])), dtype=np.uint8)
    return np.split(np.unpackbits(bits, count=sum(counts)).astype(bool), np.cumsum(counts)[:-1])


def difference(pairs: Sequence[tuple["pd.Series[object]", "pd.Series[object]"]], seed: int = 0) -> Interval:
    """By how many points of balanced accuracy the first row of each pair is better, on average over the pairs.

    A pair is of one seed and its test images. The interval is of a bootstrap that draws seeds, and then test images of
    each class; they are taken to have nothing to do with one another.
    """
    rng, count = np.random.default_rng(seed), len(pairs)
    values, drawn = [], np.empty((count, count, RESAMPLES))
    for number, (ours, theirs) in enumerate(pairs):
        sides = list(zip(answers(ours), answers(theirs), strict=True))
        values.append(np.mean([mine.mean() - its.mean() for mine, its in sides]))
        drawn[:, number] = np.mean([_resampled(mine, its, (count, RESAMPLES), rng) for mine, its in sides], axis=0)
    chosen = rng.integers(count, size=(count, RESAMPLES))
    means = drawn[np.arange(count)[:, None], chosen, np.arange(RESAMPLES)].mean(axis=0)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(value=100 * float(np.mean(values)), low=100 * float(low), high=100 * float(high))


def points(interval: Interval) -> str:
    """The interval as differences of points are shown."""
    value = f"{interval.value:+.1f}"
    return f"{value} [{interval.low:+.1f}, {interval.high:+.1f}]" if np.isfinite(interval.low) else value


def overall(values: Sequence[float]) -> Interval:
    """The mean of `values`, one of each cell, with Student's interval over cells: without end for a single one."""
    mean, count = float(np.mean(values)), len(values)
    half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count)) if count > 1 else float("inf")
    return Interval(value=mean, low=mean - half, high=mean + half)


def differences(rows: pd.DataFrame) -> Iterator[tuple[str, int, str, Interval, list[float]]]:
    """Per data set, size and other method: frostline's difference, and that of each seed, in points."""
    for (dataset, per_class), cell in rows.groupby(CELL, sort=False):
        ours = cell[cell["method"] == OURS].set_index("seed", drop=False)
        for method, theirs in cell[cell["method"] != OURS].groupby("method", sort=False):
            pairs = [(ours.loc[row["seed"]], row) for _, row in theirs.iterrows() if row["seed"] in ours.index]
            if pairs:
                each = [100 * (mine["balanced_accuracy"] - its["balanced_accuracy"]) for mine, its in pairs]
                yield str(dataset), int(per_class), str(method), difference(pairs), each


def clearly_ahead(rows: pd.DataFrame) -> str:
    """Where another method's interval lies beyond frostline's score, in a sentence."""
    found = [f"{method} on {dataset}-{size}" for dataset, size, method, each, _ in differences(rows) if each.high < 0]
    return f"Clearly ahead of {OURS}: {', '.join(found) or 'no method, in no data set and size'}."


def difference_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A line per data set and size, a last one for all cells, a column per other method."""
    found = list(differences(rows))
    lines: dict[str, dict[str, str]] = {}
    for dataset, per_class, method, interval, _ in found:
        lines.setdefault(f"{dataset}-{per_class}", {})[method] = points(interval)
    if not found:
        return pd.DataFrame({"cell": []})
    methods = dict.fromkeys(method for *_, method, _, _ in found)
    lines["all cells"] = {
        name: points(overall([value for _, _, method, _, values in found if method == name for value in values]))
        for name in methods
    }
    return pd.DataFrame([{"cell": cell} | line for cell, line in lines.items()])


def score_table(rows: pd.DataFrame, column: str, form: str) -> pd.DataFrame:
    """The mean over seeds of a column by cell and method."""
    means = rows.groupby([*CELL, "method"], sort=False)[column].mean().map(form.format).unstack("method")
    return means[list(dict.fromkeys(rows["method"]))].reset_index()


@plainly()
def figure(rows: pd.DataFrame) -> Picture:
    """A panel a data set: frostline's difference from each other method, with its interval, by size."""
    found = list(differences(rows))
    datasets = list(dict.fromkeys(rows["dataset"]))
    sizes = sorted(set(rows["per_class"]))
    methods = list(dict.fromkeys(rows.loc[rows["method"] != OURS, "method"]))
    picture = Picture(4.2 * len(datasets) + 2, 4.2)
    panels = picture.subplots(1, len(datasets), sharex=True, sharey=True, squeeze=False)[0]
    for axes, dataset in zip(panels, datasets, strict=True):
        style(axes, dataset)
        for number, (size, color) in enumerate(zip(sizes, PALETTE.values(), strict=False)):
            own = [(method, each) for of, count, method, each, _ in found if (of, count) == (dataset, size)]
            places = [methods.index(method) + 0.3 * (number - (len(sizes) - 1) / 2) for method, _ in own]
            values = np.array([each.value for _, each in own])
            bounds = [values - [each.low for _, each in own], [each.high for _, each in own] - values]
            axes.errorbar(values, places, xerr=bounds, fmt="o", color=color, label=f"{size} a class", capsize=2)
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(methods)), methods)
        axes.set_xlabel(f"points that {OURS} is ahead")
    panels[0].invert_yaxis()
    legend(panels[-1])
    return picture


def _resampled(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """The difference of two recalls on as many images of a class, drawn with replacement, so often."""
    ahead, behind, images = (ours & ~theirs).mean(), (theirs & ~ours).mean(), len(ours)
    counts = rng.multinomial(images, [ahead, behind, max(0.0, 1 - ahead - behind)], size=shape)
    return np.asarray((counts[..., 0] - counts[..., 1]) / images)
