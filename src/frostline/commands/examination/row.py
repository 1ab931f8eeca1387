"""What `frostline doctor` finds: a row per thing that was looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from frostline.errors import FrostlineError
from frostline.runtime.debugging import is_debugging, traceback_of
from frostline.runtime.progress import say

__all__ = ["Remark", "Row", "examine"]


class Remark(str):
    """A finding that stops nothing, but is worth to know."""


@dataclass(frozen=True)
class Row:
    """One thing: whether it is as it should be, its name, and what was found or what to do."""

    state: Literal["ok", "note", "missing"]
    name: str
    words: str


def examine(name: str, check: Callable[..., str], *arguments: object) -> Row:
    """The row of what `check(*arguments)` gives: a `Remark` is a note, an error something missing."""
    try:
        words = check(*arguments)
    except FrostlineError as error:
        return Row("missing", name, str(error))
    except Exception as error:  # whatever is wrong with a machine, its owner wants the other rows too
        if is_debugging():
            say(traceback_of(error))
        return Row("missing", name, " ".join(f"{type(error).__name__}: {error}".split()))
    return Row("note" if isinstance(words, Remark) else "ok", name, words)
