"""Ways to search, replayed on the table of learning curves: how good a network each comes to, at which cost.

    python -m benchmarks.replay --table docs/results/curves

Regret is the best test score that the table has of a cell, whatever the setting and the epoch, less that of what a way
to search would use after so much cost, in points. The best of so many is lucky, so that nobody reaches a regret of 0.
Without luck it is less by what that luck is worth: by how much the best is above what whoever had half of the test
images to choose by would have on the other half. Who does as well as that has 0, who does better, less.

Cost is in images through every block, forward and backward, the pass that fills the cache included. Each way is
replayed `--repeats` times in every cell; what is shown is the mean over cells (data sets, sizes, seeds), with a 95%
interval by bootstrap over the cells.

Writes `replay.csv` and `replay.png`, and prints a table. There "within" a point means without luck, from there on.
"""

import functools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from frostline.plots.style import INK, chart
from frostline.runtime.progress import track

from ..curves.table import Curve, Table
from ..curves.variants import BASE, OWN_HEADS, VARIANTS
from ..measuring import RESULTS, Option, markdown_table, parse
from .frostline_policy import FROSTLINE
from .halving import HALVING
from .invented import invent
from .policies import POLICIES, Policy
from .world import Ledger, World

COSTS = np.geomspace(10, 300_000, 91)
WITHIN = (3, 2, 1)
ALL = POLICIES | HALVING | FROSTLINE
DEFAULT = "the default before"
TICKS = (10, 100, 1000, 10_000, 100_000)
LINES = ("-", "--", ":")


def main() -> None:
    options = parse(
        __doc__,
        table=Option(RESULTS / "curves", kind=Path, help="a folder that benchmarks.curves wrote"),
        variant=Option(BASE, choices=list(VARIANTS), help="of the curves: the way to train"),
        weights=Option("averaged", choices=["averaged", "raw"], help="of networks, over steps or as they are"),
        policies=Option(list(ALL), choices=list(ALL)),
        repeats=Option(10, smallest=1),
    )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = invent(options.work / "invented") if options.smallest else options.table
    worlds = list(read_worlds(folder, options.variant, "raw_" if options.weights == "raw" else ""))
    if not worlds:
        raise SystemExit(
            f"{folder} holds no whole cell of variant {options.variant}: python -m benchmarks.curves makes it"
        )
    jobs = [(name, world, repeat) for name in options.policies for world in worlds for repeat in range(options.repeats)]
    rows = [
        {"policy": name, "cell": str(world.cell), "repeat": repeat, **replay(ALL[name], world, repeat)}
        for name, world, repeat in track(jobs, "Replaying", len(jobs))
    ]
    replayed = pd.DataFrame(rows)
    replayed.drop(columns="regrets").round(3).to_csv(options.output / "replay.csv", index=False)
    regrets = {name: by_cell(replayed, name) for name in options.policies}
    luck = 100 * np.array([world.best - world.best_told for world in sorted(worlds, key=lambda world: str(world.cell))])
    figure(regrets, float(luck.mean())).savefig(options.output / "replay.png")
    print(markdown_table(table(replayed, regrets, luck)), f"{len(worlds)} cells", sep="\n\n")


def read_worlds(folder: Path, variant: str, weights: str) -> Iterator[World]:
    """The cells that have curves of heads, of the variant or else of `base`, and of networks."""
    heads = variant if variant in OWN_HEADS else BASE
    cells: dict[object, list[Curve]] = {}
    for curve in Table(folder).curves():
        of_variant = curve.variant == (variant if curve.settings.thaw else heads)
        if of_variant and (not curve.settings.thaw or f"{weights}margins" in curve.arrays):
            cells.setdefault(curve.cell, []).append(curve)
    for cell, curves in cells.items():
        world = World(cell, curves, weights)
        if world.heads and world.thawed:
            yield world


def replay(policy: Policy, world: World, repeat: int) -> dict[str, object]:
    """What it spent, what it ended with, and its regret in points at each of COSTS, at first that of chance."""
    ledger = Ledger(world)
    policy(world, ledger, np.random.default_rng([repeat, world.cell.seed]), COSTS[-1])
    costs, tests = (np.array(each) for each in zip(*ledger.steps, strict=True))
    place = np.searchsorted(costs, COSTS, side="right") - 1
    regrets = 100 * (world.best - np.where(place < 0, 0.5, tests[place]))
    return {"spent": ledger.spent, "regret": 100 * (world.best - tests[-1]), "regrets": regrets}


def by_cell(replayed: pd.DataFrame, policy: str) -> NDArray[np.float64]:
    """The mean regret over repeats, [cells, COSTS]."""
    of_policy = replayed[replayed["policy"] == policy].groupby("cell")["regrets"]
    return np.stack([np.mean(np.stack(list(each)), axis=0) for _, each in of_policy])


@functools.cache
def _draws(cells: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(cells, size=(2000, cells))


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Of the mean of values [cells], by bootstrap."""
    low, high = np.percentile(values[_draws(len(values))].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def table(replayed: pd.DataFrame, regrets: dict[str, NDArray[np.float64]], luck: NDArray[np.float64]) -> pd.DataFrame:
    """A row a policy; `luck` [cells] is what the best is worth by luck, in points."""
    spent = replayed.groupby("policy")["spent"].mean()
    budget = spent.get(DEFAULT)
    lines = []
    for policy, values in regrets.items():
        mean = np.append(math.inf, (values - luck[:, None]).mean(axis=0))
        line = {"policy": policy, "images in all": f"{spent[policy]:,.0f}", "regret in the end": shown(values[:, -1])}
        line["without luck"] = shown(values[:, -1] - luck)
        if budget:
            line[f"at {budget:,.0f} images"] = shown(values[:, np.searchsorted(COSTS, budget)])
        for points in WITHIN:
            within = int(np.flatnonzero(mean > points)[-1])  # from there on; `mean` begins one place before COSTS
            line[f"images to within {points}"] = f"{COSTS[within]:,.0f}" if within < len(COSTS) else "not reached"
        lines.append(line)
    return pd.DataFrame(lines)


def shown(values: NDArray[np.float64]) -> str:
    low, high = interval(values)
    return f"{values.mean():.1f} [{low:.1f}, {high:.1f}]"


def figure(regrets: dict[str, NDArray[np.float64]], luck: float) -> Figure:
    picture, axes = chart(9, 5.5, "Regret against cost: mean over cells, and 95% interval at places")
    for number, (policy, values) in enumerate(regrets.items()):
        mean = values.mean(axis=0)
        line = axes.plot(COSTS, mean, label=policy, linestyle=LINES[number // 7 % len(LINES)])[0]
        for place in range(30 + number % 10, len(COSTS), 20):
            axes.vlines(COSTS[place], *interval(values[:, place]), color=line.get_color(), linewidth=1, alpha=0.5)
    axes.axhline(luck, color=INK, linewidth=1, linestyle="--", label="without luck 0")
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{cost:,}" for cost in TICKS])
    axes.set_xticks([], minor=True)
    axes.set_ylim(0, min(20, 1.1 * max(values.mean(axis=0)[30] for values in regrets.values())))
    axes.set_xlabel("images through every block")
    axes.set_ylabel("points of test balanced accuracy below the table's best")
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False)
    return picture


if __name__ == "__main__":
    main()
