"""Figures of a study: what was tried in which order, what the score depends on, how the winner learned."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from frostline.plots.depth import groups_figure, heads_figure, mark_best, name_groups, scatter_trials, trials_figure
from frostline.plots.style import INK, PALETTE, chart, plainly
from frostline.records.train_record import GroupResult

__all__ = ["history_figure", "importance_figure", "learning_figure", "study_figures"]


def study_figures(
    trials: pd.DataFrame,
    importances: Mapping[str, float],
    history: Sequence[Mapping[str, float]],
    groups: Sequence[GroupResult],
) -> dict[str, Figure]:
    """The pictures of a study by file name; `history` is the winner's, who has learned only if it thaws blocks."""
    figures = {
        "groups.png": groups_figure(groups, trials),
        "trials.png": trials_figure(trials),
        "heads.png": heads_figure(trials),
        "history.png": history_figure(trials),
        "importance.png": importance_figure(importances),
    }
    learned = all("train_loss" in epoch for epoch in history)
    return figures | ({"learning.png": learning_figure(history)} if learned else {})


@plainly()
def importance_figure(importances: Mapping[str, float]) -> Figure:
    """Share of the variance of heads' scores that each parameter explains, in [0, 1]; empty where that is unknown."""
    figure, axes = chart(7.5, 4.0, "What the score of a head depends on (fANOVA)")
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names], color=PALETTE["blue"])
    for row, name in enumerate(names):
        axes.text(importances[name], row, f" {importances[name]:.2f}", va="center", color=INK)
    if not names:
        axes.text(0.5, 0.5, "too few heads to tell", ha="center", transform=axes.transAxes, color=INK)
    axes.set_xlabel("share of the variance of heads' scores")
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
def history_figure(trials: pd.DataFrame) -> Figure:
    """Score of each trial in order, with the best so far as a line; failed trials are crosses at the bottom.

    `trials` is as for `trials_figure`.
    """
    figure, axes = chart(8.5, 4.5, "Search history")
    ordered = trials.sort_values("trial")
    placed, failed = ordered[ordered["value"].notna()], ordered[ordered["state"] == "failed"]
    best = ordered["value"].where(ordered["state"] == "complete").cummax().ffill()
    axes.step(ordered["trial"], best, where="post", color=PALETTE["grey"], linewidth=2, label="best so far", zorder=2)
    scatter_trials(axes, placed["trial"], placed)
    mark_best(axes, placed["trial"], placed)
    if len(failed):
        bottom, height = axes.get_xaxis_transform(), [0.03] * len(failed)
        axes.scatter(failed["trial"], height, c=INK, marker="x", s=50, zorder=3, label="failed", transform=bottom)
    axes.set_xlabel("trial")
    axes.set_ylabel("validation balanced accuracy")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    name_groups(axes, placed)
    return figure
