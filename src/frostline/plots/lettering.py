"""Words in figures: any string, in one short line, in characters that some font on this machine can draw."""

import re
import unicodedata
from collections.abc import Sequence

from frostline.plots.fonts import drawable
from frostline.text.words import escaped, visible

__all__ = ["lettered"]

_MOST = 24


def lettered(names: Sequence[str], most: int = _MOST) -> list[str]:
    """Each of `names` as figures show it: in at most `most` columns, what cannot be drawn escaped, no two alike.

    Long names lose their middle; where two would look alike then, all carry their number. What begins with `_` gets a
    space of no width before it, because matplotlib leaves it out of legends.
    """
    seen = [visible(name) for name in names]
    known = drawable("".join(seen))
    drawn = [_drawable(name, known) for name in seen]
    short = [_shortened(name, most) for name in drawn]
    if len(set(short)) < len(short):
        ends = [f" #{number}" for number in range(1, len(drawn) + 1)]
        short = [_shortened(name, most - len(end)) + end for name, end in zip(drawn, ends, strict=True)]
    return [f"\u200b{name}" if name.startswith("_") else name for name in short]


def _drawable(name: str, known: frozenset[str]) -> str:
    r"""`name` with what is not `known` like `\u6f22`, and `\x20` for spaces at its ends."""
    text = "".join(each if each in known else escaped(each) for each in name)
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
