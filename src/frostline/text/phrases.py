"""Numbers with their nouns, and lists that come to an end, for messages."""

from collections.abc import Iterable

from frostline.text.words import visible

__all__ = ["counted", "listed"]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `2 images`; `plural` where an s does not make it.

    >>> counted(1, "image"), counted(2, "class", "classes")
    ('1 image', '2 classes')
    """
    return f"{number:d} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Iterable[str], most: int = 12) -> str:
    """`a, b, c`, with nothing hidden in them; of more than `most` the first ones, and how many more there are.

    >>> listed(["a", "b", "c"], most=2)
    'a, b, and 1 more'
    """
    shown = [visible(name) for name in names]
    more = f", and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
