"""How deep to freeze, in pictures: every trial by its depth, the best of each depth group, heads by what they read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from frostline.plots.style import INK, PALETTE, chart, legend, plainly
from frostline.records.train_record import GroupResult
from frostline.text.phrases import counted
from frostline.training.settings import GROUPS

__all__ = ["groups_figure", "heads_figure", "mark_best", "name_groups", "scatter_trials", "trials_figure"]

_LOOKS = {
    "heads": (PALETTE["blue"], "o"),
    "last block": (PALETTE["orange"], "D"),
    "some blocks": (PALETTE["green"], "s"),
    "all blocks": (PALETTE["vermilion"], "^"),
    "random weights": (PALETTE["black"], "v"),
}
_WIDTH = 0.4
_GOLDEN = 0.618034
_NUMBERED_BLOCKS = 12


@plainly()
def groups_figure(groups: Sequence[GroupResult], trials: pd.DataFrame) -> Figure:
    """The best score of each depth group with its standard error; hollow, and in words, where that is not decided.

    Of a group without a complete trial that is what its best one of `trials` (see `trials_figure`) had when it ended.
    """
    figure, axes = chart(9.5, 1.3 + 0.6 * len(groups), "How deep to freeze: the best of each depth group")
    reached = trials.groupby("group")["value"].max()
    for row, group in enumerate(groups):
        colour, marker = _LOOKS[group.group]
        score = reached.get(group.group, np.nan) if group.score is None else group.score
        axes.errorbar(
            score,
            row,
            xerr=group.standard_error,
            fmt=marker,
            color=colour,
            markerfacecolor=colour if group.decided else "white",
            markersize=10,
            markeredgewidth=1.6,
            elinewidth=1.6,
            capsize=4,
            zorder=3,
        )
        words = [] if group.verdict == "decided" else [group.verdict]
        if not np.isnan(score):
            words.insert(0, f"{score:.3f} on some images, when it ended" if group.score is None else group.scored)
        axes.text(1.03, row, "\n".join(words), transform=axes.get_yaxis_transform(), va="center", color=INK)
    axes.margins(x=0.1)
    axes.set_yticks(range(len(groups)), [f"{each.group}, {counted(each.trials, 'trial')}" for each in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_xlabel("validation balanced accuracy, with its standard error")
    return figure


@plainly()
def trials_figure(trials: pd.DataFrame) -> Figure:
    """Score against freeze depth, one mark a trial, by depth group; those that were ended early are hollow.

    `trials` has the columns trial, group, freeze_depth, value, standard_error and state (complete, pruned, failed);
    trials without a value cannot be placed and are counted in the title. At each depth heads, which are many, are on
    the left, with a line at the best of them; trials that thaw blocks are on the right.
    """
    placed = trials[trials["value"].notna() & trials["freeze_depth"].notna()]
    missing = len(trials) - len(placed)
    title = "Freeze depth and score" + (f" ({missing} failed not shown)" if missing else "")
    figure, axes = chart(8.5, 4.8, title)
    x = placed["freeze_depth"].astype(float) + _offsets(placed)
    thawed, heads = placed[placed["group"] != "heads"], placed[placed["group"] == "heads"]
    axes.errorbar(
        x[thawed.index], thawed["value"], thawed["standard_error"], fmt="none", ecolor=INK, alpha=0.5, elinewidth=1
    )
    scatter_trials(axes, x, placed)
    best = heads.groupby("freeze_depth")["value"].max()
    middle = np.asarray(best.index, dtype=float) - _WIDTH / 2
    axes.hlines(best, middle - _WIDTH / 2, middle + _WIDTH / 2, color=PALETTE["blue"], linewidth=2.5)
    mark_best(axes, x, placed)
    if len(placed):
        axes.set_xlim(placed["freeze_depth"].min() - 0.6, placed["freeze_depth"].max() + 0.6)
    axes.set_xlabel("freeze depth: blocks frozen, from the input")
    axes.set_ylabel("validation balanced accuracy")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    name_groups(axes, placed)
    return figure


@plainly()
def heads_figure(trials: pd.DataFrame) -> Figure:
    """The best score of heads by the last block that they read (rows) and by how many they read (columns).

    `trials` is as for `trials_figure`, and has the columns blocks, as in `3,4,5`, and members, of ensembles, which have
    no place of their own here.
    """
    single = (trials["group"] == "heads") & ~trials["members"].astype(bool)
    heads = trials[single & (trials["state"] == "complete")]
    blocks = [[int(block) for block in read.split(",")] for read in heads["blocks"]]
    depth = max((read[-1] for read in blocks), default=1)
    figure, axes = chart(7.5, 4.8, "Heads, by the blocks that they read")
    scores = np.full((depth, depth), np.nan)
    for read, score in zip(blocks, heads["value"], strict=True):
        place = read[-1] - 1, len(read) - 1
        scores[place] = np.fmax(scores[place], score)
    axes.grid(visible=False)
    axes.set_xlabel("how many blocks are read, back from there")
    axes.set_ylabel("the last block that is read")
    if not len(heads):
        axes.text(0.5, 0.5, "no head was completed", ha="center", transform=axes.transAxes, color=INK)
        return figure
    edges = np.arange(depth + 1) + 0.5
    mesh = axes.pcolormesh(edges, edges, scores, cmap="Blues", edgecolors="white", linewidth=2)
    figure.colorbar(mesh, label=f"best score, each with a standard error of {heads['standard_error'].median():.3f}")
    best = np.unravel_index(np.nanargmax(scores), scores.shape)
    axes.add_patch(Rectangle((best[1] + 0.5, best[0] + 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=2.5))
    if depth <= _NUMBERED_BLOCKS:
        _write_scores(axes, scores)
        axes.set_xticks(range(1, depth + 1))
        axes.set_yticks(range(1, depth + 1))
    return figure


def scatter_trials(axes: Axes, x: "pd.Series[float]", trials: pd.DataFrame) -> None:
    """A mark at `x` for each of `trials` by its group: heads are small; hollow is what was ended early."""
    for group, some in trials.groupby("group", sort=False):
        colour, marker = _LOOKS[str(group)]
        size, alpha = (26, 0.6) if group == "heads" else (70, 1.0)
        filled = [colour if state == "complete" else "white" for state in some["state"]]
        lines = 0.0 if group == "heads" else 1.5
        axes.scatter(
            x[some.index],
            some["value"],
            c=filled,
            edgecolors=colour,
            marker=marker,
            s=size,
            alpha=alpha,
            linewidths=lines,
            zorder=3,
        )


def name_groups(axes: Axes, trials: pd.DataFrame) -> None:
    """A legend of the groups that `trials` have, the cheapest first, and of what hollow marks are."""
    for group in [group for group in GROUPS if (trials["group"] == group).any()]:
        colour, marker = _LOOKS[group]
        axes.scatter([], [], c=colour, marker=marker, s=60, label=group)
    if (trials["state"] == "pruned").any():
        axes.scatter([], [], c="white", edgecolors=INK, s=60, linewidths=1.5, label="ended early (on some images)")
    legend(axes)


def mark_best(axes: Axes, x: Any, trials: pd.DataFrame) -> None:
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
            zorder=4,
        )


def _offsets(trials: pd.DataFrame) -> "pd.Series[float]":
    """Steps to the side: heads are strewn evenly on the left of their depth, others stand in line on its right."""
    strewn = -_WIDTH * (trials["trial"].astype(float) * _GOLDEN % 1)
    thawed = trials[trials["group"] != "heads"].sort_values("trial").groupby("freeze_depth")["trial"]
    in_line = _WIDTH * (1 + thawed.cumcount()) / (1 + thawed.transform("size"))
    return strewn.where(trials["group"] == "heads", in_line.reindex(trials.index))


def _write_scores(axes: Axes, scores: Any) -> None:
    low, high = np.nanmin(scores), np.nanmax(scores)
    for row, column in np.argwhere(np.isfinite(scores)):
        score = scores[row, column]
        dark = score > (low + high) / 2
        colour = "white" if dark else INK
        axes.text(column + 1, row + 1, f"{score:.3f}", ha="center", va="center", color=colour, fontsize=9)
