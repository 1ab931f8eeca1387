"""How every figure of frostline looks. Figures are matplotlib's, but belong to no window and change no setting of its.

Colours are Okabe and Ito's (2008), which people with any colour vision can tell apart; markers differ as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text

from frostline.plots.fonts import FONT, families_for, finding_quietly

__all__ = ["DPI", "INK", "PALETTE", "Picture", "chart", "legend", "plainly", "style"]

INK = "#333333"
DPI = 120
PALETTE = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "sky": "#56B4E9",
    "orange": "#E69F00",
    "purple": "#CC79A7",
    "green": "#009E73",
    "black": "#000000",
    "grey": "#999999",
}


@contextmanager
def plainly() -> Iterator[None]:
    """Write texts as they are, inside the block; it also decorates functions, and does all that make pictures.

    None of ours is mathematics or, whatever a user's matplotlibrc says, TeX: `$` in the name of a class is a dollar.
    """
    with finding_quietly(), rc_context({"font.family": [FONT], "text.parse_math": False, "text.usetex": False}):
        yield


class Picture(Figure):
    """A figure of `width` x `height` inches that is drawn `plainly`, each text in fonts that have its characters."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=DPI, layout="constrained")

    def draw(self, renderer: RendererBase) -> None:
        """Draw it, as matplotlib asks whenever it is written to a file."""
        with plainly():
            for text in self.findobj(Text):
                families = families_for(text.get_text().replace("\n", ""))
                text.set(fontfamily=families, parse_math=False, usetex=False)
            super().draw(renderer)


@plainly()
def chart(width: float, height: float, title: str) -> tuple[Picture, Axes]:
    """A picture of `width` x `height` inches with one styled plot."""
    figure = Picture(width, height)
    axes = figure.subplots()
    style(axes, title)
    return figure, axes


def style(axes: Axes, title: str) -> None:
    """Give a plot its title, a light grid and no box."""
    axes.set_title(title, loc="left", color=INK, fontweight="bold")
    axes.grid(visible=True, color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.12)


def legend(axes: Axes) -> None:
    """A legend outside the plot, to its right, if there is anything to name."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
