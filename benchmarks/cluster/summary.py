"""What the parts show, as tables and as a picture."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from frostline.plots.style import INK, PALETTE, Picture, plainly, style

from ..replay.__main__ import interval
from .threads import BASE

SPENT = {
    "ray": "Ray, waiting for actors",
    "mlflow": "MLflow",
    "optuna": "Optuna's store",
    "proposals": "proposals (TPE)",
    "rest": "the rest",
}
LONG = (5, 60)
LINES = {"asynchronous": "-", "batches": "--"}
COLORS = {"quick": "blue", "larger": "vermilion"}
SEARCHES = (PALETTE["green"], PALETTE["purple"])
ASIDE = 1.07


def overhead_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A line for each number of actors. Workers that the driver feeds are by the slowest repeat."""
    lines = []
    for actors, own in rows.groupby("actors"):
        whole = own.groupby("repeat")[["trials", "seconds", "cpu_seconds", *SPENT]].sum()
        rates, tenths = whole["trials"] / whole["seconds"], own.assign(rate=own["trials"] / own["seconds"])
        line = {"actors": actors, "trials": whole["trials"].max(), "trials a second": spread(rates, "{:.1f}")}
        for name, place in (("first", own["first_trial"].min()), ("last", own["first_trial"].max())):
            line[f"{name} tenth"] = spread(tenths.loc[tenths["first_trial"] == place, "rate"], "{:.1f}")
        line["CPU seconds a trial"] = spread(whole["cpu_seconds"] / whole["trials"], "{:.3f}")
        line |= {name: f"{whole[part].sum() / whole['seconds'].sum():.0%}" for part, name in SPENT.items()}
        line |= {f"workers fed, {seconds} s a trial": f"{rates.min() * seconds:.0f}" for seconds in LONG}
        lines.append(line)
    return pd.DataFrame(lines)


def threads_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A line for each size and way: median and range over rounds, and times as long as BASE within each round."""
    lines = []
    for (size, way), found in rows.groupby(["size", "way"], sort=False):
        own = found.set_index("round")
        base = rows[(rows["size"] == size) & (rows["way"] == BASE)].set_index("round")
        line = {"size": size, "way": way, "rounds": len(own), "seconds": spread(own["seconds"], "{:.0f}")}
        for name, column in {"stage": "seconds", "trials": "trials_seconds"}.items():
            line[f"{name}, times as long"] = spread((own[column] / base[column]).dropna(), "{:.2f}")
        line |= {"trials": spread(own["trials"], "{:.0f}"), "images": spread(own["images"], "{:.0f}")}
        lines.append(line | {"validation": spread(own["validation"], "{:.3f}")})
    return pd.DataFrame(lines)


def durations_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A line for each cell and depth group."""
    lines = []
    for (cell, group), own in rows.groupby(["cell", "group"], sort=False):
        line = {"cell": cell, "images": own["cell_images"].iloc[0], "group": group, "trials": len(own)}
        lines.append(
            line | {"seconds of one": spread(own["seconds"], "{:.1f}"), "of all": f"{own['seconds'].sum():.0f}"}
        )
    return pd.DataFrame(lines)


def simulation_table(studies: pd.DataFrame) -> pd.DataFrame:
    """A line for each effort, way and number of workers: means over cells, and points lost, with their interval."""
    lines = []
    for effort, way, rows in ways(studies):
        for workers, own in rows.groupby("workers"):
            line = {"effort": effort, "asking": way, "workers": workers, "trials": f"{own['trials'].mean():.0f}"}
            line |= {"images": f"{own['images'].mean():,.0f}", "makespan, s": f"{own['makespan'].mean():,.0f}"}
            line |= {"times as fast": f"{faster(rows, workers).mean():.1f}"}
            line |= {"efficiency": f"{own['efficiency'].mean():.0%}"}
            line["points lost, by heads"] = shown(lost(rows, "heads_regret", workers), "{:+.2f}")
            line["in the end"] = shown(lost(rows, "regret", workers), "{:+.2f}")
            lines.append(line)
    return pd.DataFrame(lines)


def tpe_table(searches: pd.DataFrame) -> pd.DataFrame:
    """A line for each number of trials and of those in flight: what is lost, with its interval."""
    lines = []
    for trials, rows in searches.groupby("trials"):
        for workers in sorted(rows["workers"].unique()):
            line = {
                "trials": trials,
                "in flight": workers,
                "validation loss, more": shown(lost(rows, "loss_regret", workers), "{:+.4f}"),
            }
            lines.append(line | {"points lost": shown(lost(rows, "regret", workers), "{:+.2f}")})
    return pd.DataFrame(lines)


def ways(studies: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Of each effort each way, with what one worker does."""
    for effort, rows in studies.groupby("effort", sort=False):
        for way in LINES:
            yield effort, way, rows[(rows["way"] == way) | (rows["workers"] == 1)]


def faster(rows: pd.DataFrame, workers: int) -> NDArray[np.float64]:
    """By cell [C], how many times as fast as one worker so many are."""
    spans = rows.groupby(["workers", "cell"])["makespan"].mean()
    return (spans.loc[1] / spans.loc[workers]).to_numpy()


def lost(rows: pd.DataFrame, column: str, workers: int) -> NDArray[np.float64]:
    """By cell [C], how much higher a regret is with so many workers than with one: the mean over repeats."""
    means = rows.groupby(["workers", "cell"])[column].mean()
    return (means.loc[workers] - means.loc[1]).to_numpy()


def shown(values: NDArray[np.float64], form: str) -> str:
    """Their mean, and its 95% interval by bootstrap over cells."""
    low, high = interval(values)
    return f"{form.format(values.mean())} [{form.format(low)}, {form.format(high)}]"


def spread(values: "pd.Series[float]", form: str) -> str:
    """The median, and the range where there is one."""
    low, middle, high = (form.format(each) for each in (values.min(), values.median(), values.max()))
    return middle if low == high else f"{middle} ({low} to {high})"


@plainly()
def figure(studies: pd.DataFrame, searches: pd.DataFrame) -> Picture:
    """How many times as fast a study is, what it loses, and what TPE alone loses; by the number of workers."""
    picture = Picture(13, 5)
    speed, quality, alone = picture.subplots(1, 3)
    style(speed, "Speed")
    style(quality, "Quality of studies")
    style(alone, "Quality of TPE alone")
    counts, flown = sorted(studies["workers"].unique()), sorted(searches["workers"].unique())
    speed.plot(counts, counts, color=INK, linewidth=1, linestyle=":", label="as many times as workers")
    for place, (effort, way, rows) in enumerate(ways(studies)):
        look = {"color": PALETTE[COLORS[effort]], "linestyle": LINES[way], "marker": "o", "markersize": 3}
        own = sorted(rows["workers"].unique())
        speed.plot(own, [faster(rows, each).mean() for each in own], label=f"{effort}, {way}", **look)
        with_intervals(quality, own, [lost(rows, "regret", each) for each in own], place, **look)
    for place, (trials, rows) in enumerate(searches.groupby("trials")):
        own = sorted(rows["workers"].unique())
        values = [lost(rows, "loss_regret", each) for each in own]
        with_intervals(
            alone, own, values, place, label=f"{trials} trials", color=SEARCHES[place % 2], marker="o", markersize=3
        )
    speed.set_yscale("log", base=2)
    speed.set_yticks(counts, [str(each) for each in counts])
    speed.set_ylabel("times as fast as one worker")
    quality.set_ylabel("points of test balanced accuracy lost")
    alone.set_ylabel("validation loss, above one after another")
    for axes, shown_counts in ((speed, counts[::2]), (quality, counts[::2]), (alone, flown)):
        axes.set_xscale("log", base=2)
        axes.set_xticks(shown_counts, [str(each) for each in shown_counts])
        axes.set_xlabel("trials in flight" if axes is alone else "workers")
    picture.legend(*speed.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    alone.legend(frameon=False)
    return picture


def with_intervals(
    axes: Axes, counts: Sequence[int], values: Sequence[NDArray[np.float64]], place: int, **look: object
) -> None:
    """Means of `values`, one a number of workers, with their intervals, moved aside by a `place` among the lines."""
    means = np.array([each.mean() for each in values])
    bounds = np.array([interval(each) for each in values])
    axes.axhline(0, color=INK, linewidth=1, linestyle=":")
    errors = [means - bounds[:, 0], bounds[:, 1] - means]
    axes.errorbar(np.array(counts) * ASIDE**place, means, yerr=errors, elinewidth=1, capsize=2, **look)
