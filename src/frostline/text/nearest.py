"""The nearest known name, for errors about one that is not known."""

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that follows an error, with a space before it: the nearest of `known`, or else all of them.

    >>> did_you_mean("vgg61", ["resnet50", "vgg16"])
    " Did you mean 'vgg16'?"
    """
    names = sorted(known)
    matches = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean '{matches[0]}'?" if matches else f" Known: {', '.join(names)}."
