"""Draw the pictures of docs/concepts that no run of frostline makes.

    python scripts/concept_pictures.py

Writes `docs/concepts/freezing.png`, `prefix-cache.png` and `gate.png`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image

from frostline.plots.style import INK, PALETTE, Picture, plainly, style

OUTPUT = Path("docs/concepts")
COLOURS = 64  # so few keep the files small
BLOCKS = (("block1", "2 conv, 64"), ("block2", "2 conv, 128"), ("block3", "3 conv, 256"), ("block4", "3 conv, 512"))
VGG16 = (*BLOCKS, ("block5", "3 conv, 512"))
"""The blocks of VGG16, their convolutions and channels. Each ends with a pooling layer."""

FROZEN, TRAINED, RANDOM, ABSENT = PALETTE["sky"], PALETTE["orange"], PALETTE["purple"], "#FFFFFF"
KINDS = {
    "frozen": (FROZEN, "frozen: pretrained, never changed"),
    "trained": (TRAINED, "trained, from pretrained weights"),
    "random": (RANDOM, "trained, from random weights"),
    "cut": (ABSENT, "cut off"),
}
STRATEGIES = {
    "end_of_convnet": ["frozen"] * 5,
    "start_of_convnet": ["frozen"] * 4 + ["cut"],
    "fine_tune": ["trained"] * 5,
    "retrain": ["random"] * 5,
}
CHECKS = (
    ("readable images", "no more unreadable images than the champion"),
    ("floors", "its scores reach promotion.floors"),
    ("metric, randomisation", "better by a paired test, p at most level"),
    ("metric, bootstrap", "lower bound of the gain is above 0"),
    ("calibration error", "not more than calibration_error higher"),
    ("latency", "an image takes at most latency times as long"),
)


@contextmanager
def drawing(name: str, width: float, height: float, title: str) -> Iterator[Axes]:
    """Axes of `width` x `height` units, a tenth of an inch each, that are saved as `name` at the end."""
    figure = Picture(width / 10, height / 10)
    axes = figure.subplots()
    style(axes, title)
    axes.set_axis_off()
    axes.set(xlim=(-0.5, width + 0.5), ylim=(height, 0))
    yield axes
    with BytesIO() as drawn:
        figure.savefig(drawn)
        Image.open(drawn).convert("RGB").quantize(COLOURS).save(OUTPUT / name, optimize=True)


def box(axes: Axes, at: tuple[float, float], size: tuple[float, float], words: str, colour: str) -> None:
    """A box whose upper left corner lies at `at`; what is cut off has a broken line."""
    edge = {"linestyle": "--", "edgecolor": PALETTE["grey"]} if colour == ABSENT else {"edgecolor": INK}
    shape = {"boxstyle": "round,pad=0,rounding_size=0.8", "facecolor": colour, "linewidth": 1.0}
    axes.add_patch(FancyBboxPatch(at, *size, **shape, **edge))
    ink = PALETTE["grey"] if colour == ABSENT else PALETTE["black"]
    axes.text(at[0] + size[0] / 2, at[1] + size[1] / 2, words, ha="center", va="center", fontsize=10, color=ink)


def arrow(axes: Axes, begin: tuple[float, float], end: tuple[float, float], colour: str = INK) -> None:
    """An arrow between two points."""
    axes.add_patch(FancyArrowPatch(begin, end, arrowstyle="-|>", mutation_scale=10, color=colour, linewidth=1.1))


def draw_freezing() -> None:
    """A row of boxes for each of the guide's strategies."""
    with drawing("freezing.png", 100, 57, "VGG16 under the guide's four strategies") as axes:
        for row, (strategy, kinds) in enumerate(STRATEGIES.items()):
            top = 4 + 11 * row
            axes.text(0, top + 3.5, strategy, va="center", fontsize=10, color=INK, fontweight="bold")
            for column, (kind, (block, layers)) in enumerate(zip(kinds, VGG16, strict=True)):
                box(axes, (21 + 13 * column, top), (11.5, 7), f"{block}\n{layers}", KINDS[kind][0])
            last = max(column for column, kind in enumerate(kinds) if kind != "cut")
            box(axes, (90, top), (8, 7), "new\nhead", PALETTE["green"])
            for column in range(last):
                arrow(axes, (32.5 + 13 * column, top + 3.5), (34 + 13 * column, top + 3.5))
            _lead(axes, 32.5 + 13 * last, top, over=last < len(VGG16) - 1)
        for place, (colour, words) in enumerate([*KINDS.values(), (PALETTE["green"], "a new head, always trained")]):
            left, top = (0, 36, 70)[place % 3], 49 + 4 * (place // 3)
            box(axes, (left, top), (3, 2.4), "", colour)
            axes.text(left + 4, top + 1.2, words, va="center", fontsize=10, color=INK)


def _lead(axes: Axes, end: float, top: float, *, over: bool) -> None:
    """From the last kept block to the head, below what is cut off."""
    if not over:
        arrow(axes, (end, top + 3.5), (90, top + 3.5))
        return
    below = top + 8.5
    axes.plot([end - 5, end - 5, 94, 94], [top + 7, below, below, below], color=INK, linewidth=1.1)
    arrow(axes, (94, below), (94, top + 7))


def draw_cache() -> None:
    """Images once through frozen blocks, onto the disk, and from there into trials."""
    with drawing("prefix-cache.png", 104, 39, "Frozen blocks run once, and many trials read the result") as axes:
        box(axes, (0, 12), (12, 14), "images\nof a cell,\nunder each\nview", "#EEEEEE")
        for column in range(3):
            box(axes, (18 + 11 * column, 14), (9.5, 10), f"block {column + 1}\nfrozen", FROZEN)
            begin = 12 if column == 0 else 16.5 + 11 * column
            arrow(axes, (begin, 19), (18 + 11 * column, 19))
        axes.text(33.5, 29, "once: one pass\nover the images", ha="center", va="center", fontsize=10, color=INK)
        arrow(axes, (49.5, 19), (56, 19))
        box(
            axes,
            (56, 10),
            (16, 18),
            "prefix cache\non disk:\n\nfeature maps\nafter block 3,\npooled vectors",
            "#FFFFFF00",
        )
        for row, words in enumerate(("head on blocks 2 and 3", "head on block 3", "blocks 4 and 5, and a head", "...")):
            top = 1 + 10 * row
            box(axes, (82, top), (22, 7), f"trial {row + 1}\n{words}" if row < 3 else "many more trials", TRAINED)
            arrow(axes, (72, 19), (82, top + 3.5))
        axes.text(
            64,
            33,
            "found again by a fingerprint\nof what it was computed from",
            ha="center",
            va="center",
            fontsize=10,
            color=INK,
        )


def draw_gate() -> None:
    """The checks from above to below, and where each answer leads."""
    with drawing("gate.png", 98, 69, "frostline promote: every check must pass") as axes:
        box(axes, (0, 2), (20, 8), "challenger", PALETTE["sky"])
        box(axes, (0, 14), (20, 8), "champion,\nif there is one", PALETTE["orange"])
        arrow(axes, (20, 6), (30, 6))
        arrow(axes, (20, 18), (30, 8))
        for row, (name, words) in enumerate(CHECKS):
            top = 2 + 9.6 * row
            box(axes, (30, top), (44, 7.4), f"{row + 1}. {name}\n{words}", "#EEEEEE")
            if row:
                arrow(axes, (52, top - 2.2), (52, top))
        arrow(axes, (52, 57.4), (52, 61))
        box(axes, (30, 61), (44, 7), "all pass: the challenger is the new champion", PALETTE["green"])
        axes.plot([78, 78], [2, 18.9], color=INK)
        axes.text(80, 10.5, "all that a first\nchampion needs", va="center", fontsize=10, color=INK)
        axes.plot([78, 78], [21.2, 57.4], color=INK)
        axes.text(80, 39, "compared with\nthe champion", va="center", fontsize=10, color=INK)


@plainly()
def main() -> None:
    """Draw all of them."""
    matplotlib.use("Agg")
    draw_freezing()
    draw_cache()
    draw_gate()


if __name__ == "__main__":
    main()
