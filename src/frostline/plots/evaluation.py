"""Figures of an evaluation: what was taken for what, what each threshold finds, what probabilities are worth."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from frostline.data.arrays import Labels, Probabilities
from frostline.evaluation.calibration import calibration_error, reliability
from frostline.plots.lettering import lettered
from frostline.plots.style import INK, PALETTE, Picture, chart, legend, plainly, style

__all__ = ["confusion_figure", "reliability_figure", "threshold_figure"]

_LIMIT_OF_NUMBERS = 20
_COLOURS = [PALETTE[name] for name in ("blue", "vermilion", "green", "orange", "purple", "sky", "black")]


@plainly()
def confusion_figure(matrix: ArrayLike, classes: Sequence[str]) -> Figure:
    """Counts [C, C] with actual classes in rows and predicted ones in columns; shading is the share of the row."""
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = lettered(classes)
    room = 0.09 * max(map(len, names), default=0)  # inches beside the plot, so that long names do not squeeze it
    side = min(3.0 + 0.75 * len(classes), 14.0)
    slanted = len(classes) > 3 or room > 1
    figure, axes = chart(side + 1.5 + room, side + (0.7 * room if slanted else 0), "Test images by class")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.046, pad=0.04, label="share of the actual class")
    axes.set_xticks(range(len(classes)), names)
    if slanted:
        axes.tick_params("x", rotation=45)
        for tick in axes.get_xticklabels():
            tick.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    axes.grid(visible=False)
    if len(classes) <= _LIMIT_OF_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            text = f"{count}\n{share:.0%}" if len(classes) <= 8 else f"{count}"
            axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.55 else INK)
    return figure


@plainly()
def threshold_figure(labels: Labels, probabilities: Probabilities, classes: Sequence[str]) -> Figure:
    """ROC (left) and precision-recall (right), each class against the rest, with the areas; at most seven classes.

    `probabilities` [N, K], `labels` [N]. Where there are more, those with the smallest areas are drawn. Of two classes
    the ROC curves mirror one another, so that the first is drawn alone.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    names = lettered(classes)
    figure = Picture(10.5, 4.6)
    left, right = figure.subplots(1, 2)
    style(left, "ROC")
    style(right, "Precision and recall")
    present = [name for name in range(len(classes)) if 0 < (labels == name).sum() < len(labels)]
    areas = {name: float(roc_auc_score(labels == name, probabilities[:, name])) for name in present}
    for number, name in enumerate(sorted(areas, key=lambda name: areas[name])[: len(_COLOURS)]):
        colour, scores = _COLOURS[number], probabilities[:, name]
        if len(classes) > 2 or name == min(present):
            wrong, found, _ = roc_curve(labels == name, scores)
            left.plot(wrong, found, color=colour, label=f"{names[name]}: {areas[name]:.3f}")
        precision, recall, _ = precision_recall_curve(labels == name, scores)
        area = float(average_precision_score(labels == name, scores))
        right.step(recall, precision, where="post", color=colour, label=f"{names[name]}: {area:.3f}")
    left.plot([0, 1], [0, 1], color=PALETTE["grey"], linestyle=":", linewidth=1)
    _unit(left, "share of the others called it", "share of its images found")
    _unit(right, "recall: share of its images found", "precision: share of those called it that are")
    for axes in (left, right):
        if axes.get_legend_handles_labels()[0]:
            place = "lower left" if axes is right else "lower right"
            axes.legend(loc=place, title="area", framealpha=0.8, edgecolor="none")
    return figure


@plainly()
def reliability_figure(labels: Labels, before: Probabilities, after: Probabilities) -> Figure:
    """Accuracy over confidence in bins, of probabilities [N, K] before and after temperature scaling.

    Points on the diagonal mean what they say; a point's size is the share of images in its bin.
    """
    figure, axes = chart(7.0, 4.8, "Do probabilities mean what they say?")
    axes.plot([0, 1], [0, 1], color=PALETTE["grey"], linestyle=":", linewidth=1)
    looks = (("as trained", before, PALETTE["sky"], "s"), ("calibrated", after, PALETTE["vermilion"], "o"))
    for name, probabilities, colour, marker in looks:
        (error,) = calibration_error(labels, probabilities, np.ones((1, len(labels))))
        bins = reliability(labels, probabilities)
        confidence, accuracy = [each.confidence for each in bins], [each.accuracy for each in bins]
        sizes = [30 + 300 * each.images / len(labels) for each in bins]
        axes.plot(confidence, accuracy, color=colour, linewidth=1, alpha=0.7)
        axes.scatter(
            confidence, accuracy, s=sizes, color=colour, marker=marker, alpha=0.8, edgecolors="white", zorder=3
        )
        axes.scatter([], [], color=colour, marker=marker, s=60, label=f"{name}: error {error:.3f}")
    lowest = 1 / before.shape[1]
    axes.set_xlim(lowest - 0.02, 1.02)
    axes.set_ylim(-0.02, 1.05)
    axes.set_xlabel("probability of the likeliest class", color=INK)
    axes.set_ylabel("share that is right", color=INK)
    legend(axes)
    return figure


def _unit(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
