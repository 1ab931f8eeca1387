"""The profile as a picture: shift by depth against the calibration, and the probe's accuracy by depth."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from frostline.plots.lettering import lettered
from frostline.plots.style import INK, PALETTE, Picture, legend, plainly, style
from frostline.records.profile import CellProfile, Profile

__all__ = ["profile_figure"]

_COLOURS = [PALETTE[name] for name in ("blue", "vermilion", "sky", "orange", "purple")]
_MARKERS = ("o", "s", "^", "v", "D")
_SIMILAR, _DIFFERENT = PALETTE["green"], PALETTE["vermilion"]
_NAMED_BLOCKS = 8


@plainly()
def profile_figure(profile: Profile) -> Figure:
    """Above: each layer's shift, over its block. Below: the probe's balanced accuracy per block, one colour a cell."""
    sizes, (dataset,) = lettered(list(profile.cells)), lettered([profile.dataset], most=40)
    figure = Picture(9.5, 7.0)
    above, below = figure.subplots(2, 1, sharex=True)
    title = f"{dataset} as {profile.application} sees it at {profile.image_size} pixels"
    style(above, title)
    style(below, "What a linear probe reads from each block")
    for number, (size, cell) in enumerate(zip(sizes, profile.cells.values(), strict=True)):
        look = (_COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)])
        offset = (number - (len(profile.cells) - 1) / 2) * 0.12
        _probe(below, cell, size, look, offset)
    _shift(above, next(iter(profile.cells.values())))
    _bands(above, profile)
    if not any(cell.blocks for cell in profile.cells.values()):
        _say_instead(below, "too few labelled images for a probe")
    depth = len(profile.block_names)
    below.set_xlim(0.4, depth + 0.6)
    if depth <= _NAMED_BLOCKS:
        below.set_xticks(range(1, depth + 1), [f"{n}\n{name}" for n, name in enumerate(profile.block_names, start=1)])
    below.set_xlabel("block, from the input")
    below.set_ylabel("balanced accuracy")
    legend(below)
    return figure


def _shift(axes: Axes, cell: CellProfile) -> None:
    """Of the data set, which all its cells have."""
    if cell.shift is None:
        return
    x = _positions([layer.block for layer in cell.layers])
    values = np.array([[layer.shift.value, layer.shift.low, layer.shift.high] for layer in cell.layers]).T
    errors = np.abs(values[1:] - values[0])
    axes.errorbar(x, values[0], errors, fmt="o", color=INK, markersize=5, elinewidth=1, alpha=0.8, zorder=3)
    axes.axhline(cell.shift.value, color=INK, linewidth=1.5, linestyle="--")
    axes.plot([], [], marker="o", linestyle="--", color=INK, label=f"median {cell.shift}")


def _bands(axes: Axes, profile: Profile) -> None:
    """Colour the sides of the threshold; the axis is logarithmic from 0.01 on, for shifts differ by magnitudes."""
    axes.set_ylabel("shift: symmetric KL divergence")
    threshold = profile.similar_up_to
    if threshold is None:
        _say_instead(axes, "no reference statistics for these weights")
        return
    axes.set_yscale("symlog", linthresh=0.01)
    high = max(axes.get_ylim()[1], threshold * 30)
    axes.axhspan(0, threshold, color=_SIMILAR, alpha=0.10, linewidth=0, label="similar")
    axes.axhspan(threshold, high, color=_DIFFERENT, alpha=0.10, linewidth=0, label="different")
    axes.axhline(threshold, color=INK, linewidth=1)
    axes.set_ylim(0, high)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.text(
        0.99, 0.02, f"reference: {profile.reference}", transform=axes.transAxes, ha="right", color=INK, fontsize=8
    )
    legend(axes)


def _probe(axes: Axes, cell: CellProfile, size: str, look: tuple[str, str], offset: float) -> None:
    if not cell.blocks:
        return
    colour, marker = look
    x = np.array([block.block for block in cell.blocks]) + offset
    scores = [block.balanced_accuracy for block in cell.blocks]
    values = np.array([[score.value, score.low, score.high] for score in scores]).T
    errors = np.abs(values[1:] - values[0])
    label = f"{size}: best at block {cell.peak}"
    axes.errorbar(x, values[0], errors, marker=marker, color=colour, capsize=3, linewidth=1.5, label=label)


def _positions(blocks: list[int]) -> list[float]:
    """Layers of one block side by side, from the left edge of its column to the right one."""
    count = {block: blocks.count(block) for block in blocks}
    seen: dict[int, int] = dict.fromkeys(blocks, 0)
    x = []
    for block in blocks:
        seen[block] += 1
        x.append(block + 0.8 * (seen[block] / (count[block] + 1) - 0.5))
    return x


def _say_instead(axes: Axes, why: str) -> None:
    """Write into an empty plot why it is empty."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=INK)
