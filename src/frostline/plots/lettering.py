"""Words in figures: any string, in one short line, in characters that some font on this machine can draw."""

import logging
import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from matplotlib import get_data_path, rcParams
from matplotlib.font_manager import findfont, fontManager
from matplotlib.ft2font import FT2Font

from frostline.plots.style import FONT
from frostline.text.words import escaped, visible

__all__ = ["lettered"]

_MOST = 24

# Which weight of a font comes nearest is no news for anybody.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


def lettered(names: Sequence[str], most: int = _MOST) -> list[str]:
    """Each of `names` as figures show it: in at most `most` columns, what cannot be drawn escaped, no two alike.

    Long names lose their middle; where two would look alike then, all carry their number. What begins with `_` gets a
    space of no width before it, because matplotlib leaves it out of legends. Call it before the axes that show the
    names are made: it tells matplotlib which fonts they need.
    """
    seen = [visible(name) for name in names]
    known = _find_fonts({ord(each) for name in seen for each in name})
    drawn = [_drawable(name, known) for name in seen]
    short = [_shortened(name, most) for name in drawn]
    if len(set(short)) < len(short):
        ends = [f" #{number}" for number in range(1, len(drawn) + 1)]
        short = [_shortened(name, most - len(end)) + end for name, end in zip(drawn, ends, strict=True)]
    return [f"\u200b{name}" if name.startswith("_") else name for name in short]


def _find_fonts(needed: set[int]) -> frozenset[int]:
    """What can be drawn, once matplotlib knows of the families that have `needed` characters which its own lacks."""
    families = rcParams["font.family"]
    known = frozenset().union(*(_characters(family) for family in families))
    for family in _families() if needed - known else ():
        if (needed - known) & _characters(family):
            families = [*families, family]
            known |= _characters(family)
    rcParams["font.family"] = families
    return known


@cache
def _families() -> list[str]:
    """What is installed beside matplotlib's own fonts, those without serifs first."""
    own = get_data_path()
    names = {font.name for font in fontManager.ttflist if not font.fname.startswith(own)} - {FONT}
    shown = [name for name in names if not name.startswith(".")]  # macOS's own, whose last resort is boxes
    return sorted(shown, key=lambda name: ("Serif" in name or "Mono" in name, "Sans" not in name, name))


@cache
def _characters(family: str) -> frozenset[int]:
    """What a family can draw; nothing where its file, which matplotlib remembers, is gone or damaged."""
    try:
        return frozenset(FT2Font(findfont(family, fallback_to_default=False)).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _drawable(name: str, known: frozenset[int]) -> str:
    r"""`name` with what is not `known` like `\u6f22`, and `\x20` for spaces at its ends."""
    text = "".join(each if ord(each) in known else escaped(each) for each in name)
    return re.sub(r"^ +| +$", lambda spaces: r"\x20" * len(spaces[0]), text)


def _shortened(name: str, most: int) -> str:
    """`name` in at most `most` columns: the first two thirds and the last third of them, with `…` between."""
    if sum(map(_columns, name)) <= most:
        return name
    last = (most - 1) // 3
    return f"{_first(name, most - 1 - last)}…{_first(name[::-1], last)[::-1]}"


def _first(name: str, columns: int) -> str:
    taken = ""
    for each in name:
        columns -= _columns(each)
        if columns < 0:
            break
        taken += each
    return taken


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
