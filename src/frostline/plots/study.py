"""Figures of a study: what was tried, what came of it, how the winner learned."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from frostline.plots.style import INK, PALETTE, chart, legend, plainly

__all__ = [
    "history_figure",
    "importance_figure",
    "learning_figure",
    "study_figures",
    "trials_figure",
]

_STYLES = {
    "end_of_convnet": (PALETTE["blue"], "o"),
    "start_of_convnet": (PALETTE["sky"], "s"),
    "fine_tune": (PALETTE["vermilion"], "^"),
    "retrain": (PALETTE["black"], "v"),
    "partial_fine_tune": (PALETTE["orange"], "D"),
}
_UNKNOWN = (PALETTE["grey"], "o")
_SPREAD = 0.14


def study_figures(
    trials: pd.DataFrame, importances: Mapping[str, float], history: Sequence[Mapping[str, float]]
) -> dict[str, Figure]:
    """The pictures of a study by file name; `history` is the winner's."""
    return {
        "trials.png": trials_figure(trials),
        "history.png": history_figure(trials),
        "importance.png": importance_figure(importances),
        "learning.png": learning_figure(history),
    }


@plainly()
def importance_figure(importances: Mapping[str, float]) -> Figure:
    """Share of the score's variance that each searched parameter explains, in [0, 1]; empty where that is unknown."""
    figure, axes = chart(7.5, 4.0, "What the score depends on (fANOVA)")
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names], color=PALETTE["blue"])
    for row, name in enumerate(names):
        axes.text(importances[name], row, f" {importances[name]:.2f}", va="center", color=INK)
    if not names:
        axes.text(0.5, 0.5, "too few trials to tell", ha="center", transform=axes.transAxes, color=INK)
    axes.set_xlabel("share of the score's variance")
    axes.set_xlim(0, 1)
    return figure


@plainly()
def learning_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """Losses (left axis) and score (right axis) of one trial by epoch, from `train_loss`, `validation_loss`, score."""
    figure, axes = chart(7.5, 4.2, "How the winner learned")
    epochs = range(1, len(history) + 1)
    for name, colour, marker in (
        ("train_loss", PALETTE["sky"], "o"),
        ("validation_loss", PALETTE["blue"], "s"),
    ):
        axes.plot(epochs, [each[name] for each in history], color=colour, marker=marker, markersize=4, label=name)
    axes.plot([], [], color=PALETTE["vermilion"], marker="^", markersize=4, label="balanced accuracy")
    score = axes.twinx()
    values = [each["validation_balanced_accuracy"] for each in history]
    score.plot(epochs, values, color=PALETTE["vermilion"], marker="^", markersize=4)
    score.set_ylabel("validation balanced accuracy", color=PALETTE["vermilion"])
    score.spines[["top"]].set_visible(False)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left", bbox_to_anchor=(1.12, 1.0), frameon=False)
    return figure


@plainly()
def trials_figure(trials: pd.DataFrame) -> Figure:
    """Score against freeze depth, one mark a trial, coloured by strategy; pruned trials are hollow.

    `trials` has the columns trial, strategy, init, keep, freeze_depth, value and state (complete, pruned,
    failed); trials without a value cannot be placed and are counted in the title.
    """
    placed = trials[trials["value"].notna() & trials["freeze_depth"].notna()]
    missing = len(trials) - len(placed)
    title = "Freeze depth and score" + (f" ({missing} failed not shown)" if missing else "")
    figure, axes = chart(7.5, 4.5, title)
    x = placed["freeze_depth"].astype(float) + _offsets(placed)
    for strategy, group in placed.groupby("strategy", sort=False):
        colour, marker = _STYLES.get(str(strategy), _UNKNOWN)
        filled = [colour if state == "complete" else "none" for state in group["state"]]
        axes.scatter(
            x[group.index], group["value"], c=filled, edgecolors=colour, marker=marker, s=60, linewidths=1.5, zorder=3
        )
        axes.scatter([], [], c=colour, marker=marker, s=60, label=strategy)
    _mark_best(axes, x, placed)
    if len(placed):
        axes.set_xlim(x.min() - 0.5, x.max() + 0.5)
    if (placed["state"] == "pruned").any():
        axes.scatter([], [], c="none", edgecolors=INK, s=60, label="pruned (best epoch)")
    axes.set_xlabel("freeze depth: blocks frozen, from the input")
    axes.set_ylabel("validation balanced accuracy")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes)
    return figure


@plainly()
def history_figure(trials: pd.DataFrame) -> Figure:
    """Score of each trial in order, with the best so far as a line; failed trials are crosses at the bottom.

    `trials` is as for `trials_figure`.
    """
    figure, axes = chart(7.5, 4.5, "Search history")
    ordered = trials.sort_values("trial")
    complete = ordered[ordered["state"] == "complete"]
    pruned = ordered[(ordered["state"] == "pruned") & ordered["value"].notna()]
    failed = ordered[ordered["state"] == "failed"]
    axes.step(
        ordered["trial"],
        ordered["value"].where(ordered["state"] == "complete").cummax().ffill(),
        where="post",
        color=PALETTE["vermilion"],
        linewidth=2,
        label="best so far",
    )
    axes.scatter(complete["trial"], complete["value"], c=PALETTE["blue"], s=50, zorder=3, label="complete")
    if len(pruned):
        axes.scatter(
            pruned["trial"],
            pruned["value"],
            c="none",
            edgecolors=PALETTE["blue"],
            s=50,
            linewidths=1.5,
            label="pruned",
        )
    if len(failed):
        bottom = axes.get_xaxis_transform()
        height = [0.03] * len(failed)
        axes.scatter(failed["trial"], height, c=INK, marker="x", s=50, zorder=3, label="failed", transform=bottom)
    _mark_best(axes, complete["trial"], complete)
    axes.set_xlabel("trial")
    axes.set_ylabel("validation balanced accuracy")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes)
    return figure


def _offsets(trials: pd.DataFrame) -> Any:
    """Steps to the side, so that trials of different strategies at one depth do not hide one another."""

    def apart(strategies: "pd.Series[str]") -> Any:
        names = list(strategies.unique())
        return strategies.map(lambda name: (names.index(name) - (len(names) - 1) / 2) * _SPREAD)

    return trials.groupby("freeze_depth")["strategy"].transform(apart)


def _mark_best(axes: Axes, x: Any, trials: pd.DataFrame) -> None:
    """Write the best complete score above its mark; `x` has the places of `trials`."""
    scores = trials["value"].where(trials["state"] == "complete").to_numpy(dtype=float)
    if np.isfinite(scores).any():
        best = int(np.nanargmax(scores))
        axes.annotate(
            f"{scores[best]:.3f}",
            (np.asarray(x)[best], scores[best]),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            color=INK,
            fontweight="bold",
        )
