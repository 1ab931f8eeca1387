"""Which fonts of this machine can draw a text."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import get_data_path
from matplotlib.font_manager import findfont, fontManager
from matplotlib.ft2font import FT2Font

from frostline.runtime.logs import quieted

__all__ = ["FONT", "drawable", "families_for", "finding_quietly"]

FONT = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Arabic, symbols


@contextmanager
def finding_quietly() -> Iterator[None]:
    """Let matplotlib find fonts inside the block without a word: which weight comes nearest is no news for anybody."""
    with quieted("matplotlib.font_manager", level=logging.ERROR):
        yield


def families_for(text: str) -> list[str]:
    """FONT, and after it the families that have what it lacks of the characters of `text`."""
    chosen, lacking = [FONT], _codes(text) - _characters(FONT)
    for family in _installed() if lacking else ():
        if lacking & _characters(family):
            chosen.append(family)
            lacking -= _characters(family)
    return chosen


def drawable(text: str) -> frozenset[str]:
    """Those characters of `text` that some font can draw."""
    known = frozenset[int]().union(*map(_characters, families_for(text)))
    return frozenset(map(chr, _codes(text) & known))


def _codes(text: str) -> frozenset[int]:
    return frozenset(map(ord, text))


@cache
def _installed() -> list[str]:
    """What is installed beside matplotlib's own fonts, those without serifs first."""
    own = get_data_path()
    names = {font.name for font in fontManager.ttflist if not font.fname.startswith(own)} - {FONT}
    shown = [name for name in names if not name.startswith(".")]  # macOS's own, whose last resort is boxes
    return sorted(shown, key=lambda name: ("Serif" in name or "Mono" in name, "Sans" not in name, name))


@cache
def _characters(family: str) -> frozenset[int]:
    """What a family can draw; nothing where its file, which matplotlib remembers, is gone or damaged."""
    try:
        with finding_quietly():
            return frozenset(FT2Font(findfont(family, fallback_to_default=False)).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()
