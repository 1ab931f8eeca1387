"""The nearest known name, for errors about one that is not known."""

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that follows an error, with a space before it: the nearest of `known`, or else all of them.

    >>> did_you_mean("vgg61", ["resnet50", "vgg16"])
    " Did you mean 'vgg16'?"
    """
    names = sorted(known)
    found = nearest(name, names)
    return f" Did you mean '{found}'?" if found else f" Known: {', '.join(names)}."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `name`, if any is like it."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), None)
