"""How much a study tries, by a word or by numbers."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from frostline.config.frozen import Frozen
from frostline.config.types import Count
from frostline.text.nearest import did_you_mean

__all__ = ["ACCELERATED", "EFFORTS", "ChosenEffort", "Effort"]


class Effort(Frozen, allow_inf_nan=False):
    """How much a study tries.

    So many `heads` on frozen blocks, which cost seconds; at most so many trials that thaw blocks (`thawed`), which
    together may train on as many images, through every block or their like, as `images` says. With an accelerator that
    is `ACCELERATED` times as many.
    """

    heads: Count
    thawed: Annotated[int, Field(ge=0)]
    images: Annotated[float, Field(ge=0)]


EFFORTS = {
    "quick": Effort(heads=16, thawed=4, images=1_000),
    "standard": Effort(heads=40, thawed=8, images=4_000),
    "thorough": Effort(heads=80, thawed=24, images=60_000),
}
"""What the words in `search.effort` stand for."""

ACCELERATED = 25
"""How many times as much a study may train where there is an accelerator, which takes as long for it."""


def _as_effort(value: object) -> object:
    if isinstance(value, dict | Effort):
        return value
    word = str(value)
    if word not in EFFORTS:
        near = did_you_mean(word, EFFORTS)
        raise ValueError(f"must be {', '.join(EFFORTS)}, or numbers {{heads: 40, thawed: 8, images: 4000}}.{near}")
    return EFFORTS[word]


ChosenEffort = Annotated[Effort, BeforeValidator(_as_effort)]
"""A word of EFFORTS, or numbers of one's own."""
