"""How every figure of frostline looks. Figures are matplotlib Figure objects that belong to no window or global state.

Colours are Okabe and Ito's (2008), which people with any colour vision can tell apart; markers differ as well.
"""

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["DPI", "FONT", "INK", "PALETTE", "chart", "legend", "style"]

FONT = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Arabic, symbols
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

# No text of ours is mathematics or, whatever a user's matplotlibrc says, TeX: `$` in the name of a class is a dollar.
rcParams.update({"font.family": [FONT], "text.parse_math": False, "text.usetex": False})


def chart(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """A figure of `width` x `height` inches with one styled plot."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
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
