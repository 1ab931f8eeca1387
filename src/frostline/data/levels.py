"""Which values are black and white: a fact of a data set, decided once over all its pictures of more than 8 bits.

8-bit values have one meaning. Wider ones do not: 12-bit values in a 16-bit file are near black if 65535 is taken for
white, and stretching each picture by its own values would make a dark one as bright as the others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

__all__ = ["OWN_LEVELS", "Levels", "Range", "Span"]

_FLOAT_WHITES = (1.0, 255.0, *(2.0**bits - 1 for bits in range(9, 17)))
# A picture that stays below this share of white has at most 16 of 256 levels left.
_NEAR_BLACK = 1 / 16


class Range(NamedTuple):
    """The values of black and of white."""

    black: float
    white: float


class Span(NamedTuple):
    """The smallest and the largest value in a picture whose file does not say which value is white."""

    kind: Literal["integers", "floats"]
    low: float
    high: float


@dataclass(frozen=True)
class Levels:
    """Black and white of a data set's wide integers and of its floats; None where it has no such pictures.

    12-bit values in a 16-bit file:

    >>> Levels.of([Span("integers", low=12, high=3900)]).integers
    Range(black=0, white=4095.0)
    """

    integers: Range | None = None
    floats: Range | None = None

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Levels":
        """The levels that hold all of `spans`.

        Integers: from 0 to the smallest 2^k - 1, k >= 8, that holds the largest value. Floats: from 0 to the smallest
        of 1, 255, 511, 1023, ... 65535 that holds it, unless even the brightest would then be near black. In all other
        cases, negative values among them: from the smallest to the largest value.
        """
        kinds: dict[str, list[Span]] = {"integers": [], "floats": []}
        for span in spans:
            kinds[span.kind].append(span)
        return cls(**{kind: _range(found) for kind, found in kinds.items() if found})

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Levels":
        """What `as_dict` gave, after a way through JSON or YAML too."""
        return cls(**{kind: value and Range(*value) for kind, value in fields.items()})

    def as_dict(self) -> dict[str, list[float] | None]:
        """The levels as plain values, by kind."""
        return {kind: value and list(value) for kind, value in vars(self).items()}

    def range_for(self, span: Span) -> Range:
        """Black and white for a picture of such values: the data set's, or its own where that has none of its kind."""
        known: Range | None = getattr(self, span.kind)
        return known or _range([span])

    def leave_near_black(self, span: Span) -> bool:
        """Whether a picture of such values becomes nearly black, because others have far larger ones."""
        black, white = self.range_for(span)
        return black < white and span.high - black < _NEAR_BLACK * (white - black)


OWN_LEVELS = Levels()
"""Of a data set that is not known: each picture is taken by itself."""


def _range(spans: list[Span]) -> Range:
    low, high = min(span.low for span in spans), max(span.high for span in spans)
    if low >= 0 and spans[0].kind == "integers":
        return Range(0, 2.0 ** max(8, int(high).bit_length()) - 1)
    if low >= 0:
        white = next((white for white in _FLOAT_WHITES if high <= white), None)
        if white is not None and high >= _NEAR_BLACK * white:
            return Range(0, white)
    return Range(low, high)
