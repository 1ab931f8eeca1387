"""Figures of test images themselves: the worst mistakes, and where the network looked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from frostline.data.arrays import Images, Labels, Probabilities
from frostline.plots.lettering import lettered
from frostline.plots.style import INK, PALETTE, Picture, plainly

__all__ = ["captions", "gallery_figure", "heat_figure"]

_COLUMNS = 4


def captions(
    labels: Labels, probabilities: Probabilities, classes: Sequence[str], rows: NDArray[np.int64]
) -> list[str]:
    """For each of `rows`, as figures show it: what was said, how surely, and what it is where that differs."""
    names = lettered(classes)
    lines = []
    for row in rows.tolist():
        said, actual = int(probabilities[row].argmax()), int(labels[row])
        line = f"{names[said]} {probabilities[row, said]:.0%}"
        lines.append(line if said == actual else f"{line}\nis {names[actual]}")
    return lines


@plainly()
def gallery_figure(images: Images, captions: Sequence[str], title: str) -> Figure:
    """`images` [n, S, S, 3] with a caption each, four in a row."""
    rows = max(1, -(-len(images) // _COLUMNS))
    figure, grid = _grid(rows, _COLUMNS, title)
    for axes, image, caption in zip(grid.flat, images, captions, strict=False):
        axes.imshow(image)
        axes.set_title(caption, fontsize=8, color=INK, loc="left")
    if not len(images):
        figure.text(0.5, 0.4, "none", ha="center", color=INK)
    return figure


@plainly()
def heat_figure(
    images: Images, heat: NDArray[np.float32], captions: Sequence[str], right: NDArray[np.bool_], title: str
) -> Figure:
    """Each of `images` [n, S, S, 3] beside itself under its `heat` [n, h, w]; captions are green where `right` [n]."""
    rows = max(1, -(-len(images) // 2))
    figure, grid = _grid(rows, _COLUMNS, title)
    side = images.shape[1]
    for position, (image, each) in enumerate(zip(images, heat, strict=True)):
        row, column = divmod(position, 2)
        plain, warm = grid[row, 2 * column], grid[row, 2 * column + 1]
        plain.imshow(image)
        warm.imshow(image)
        extent = (-0.5, side - 0.5, side - 0.5, -0.5)
        warm.imshow(each, cmap="inferno", alpha=0.55, extent=extent, interpolation="bilinear", vmin=0)
        colour = PALETTE["green"] if right[position] else PALETTE["vermilion"]
        plain.set_title(captions[position], fontsize=8, color=colour, loc="left")
    return figure


def _grid(rows: int, columns: int, title: str) -> tuple[Figure, NDArray[Any]]:
    figure = Picture(2.3 * columns, 2.5 * rows + 0.5)
    figure.suptitle(title, color=INK, fontweight="bold", x=0.01, ha="left")
    grid: NDArray[Any] = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid
