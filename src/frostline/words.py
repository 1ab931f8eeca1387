"""Numbers with their nouns, for messages."""

__all__ = ["counted", "listed"]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `2 images`; `plural` where an s does not make it."""
    return f"{number:d} {noun if number == 1 else plural or noun + 's'}"


def listed(names: list[str], most: int = 8) -> str:
    """`a, b, c`; of more than `most` the first ones, and how many are left out."""
    more = f", ... ({len(names) - most} more)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
