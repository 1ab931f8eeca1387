"""Pictures of a request, and how many of them are decoded, and then labelled, before others have their turn."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from frostline.data.formats.jpeg import scans
from frostline.data.images import decode_cost

__all__ = ["Picture", "decoding_work", "portions"]

_MOST_BYTES = 128_000_000


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture's file and the work of `decoding` it, in bytes; or, in `error`, why there is none.

    Once it is decoded its `content` is what a version's `decode` made of the file.
    """

    content: Any
    decoding: int
    error: str = ""


def portions(pictures: Iterable[Picture], at_once: int) -> Iterator[list[Picture]]:
    """`pictures` in order, in lists that are one turn's work each: short, and none is empty.

    `at_once` is how many pictures the network takes at once.
    """
    portion: list[Picture] = []
    for picture in pictures:
        full = sum(each.decoding for each in portion) + picture.decoding > _MOST_BYTES
        if portion and (full or len(portion) == at_once):
            yield portion
            portion = []
        portion.append(picture)
    if portion:
        yield portion


def decoding_work(picture: bytes) -> int:
    """The bytes that decoding takes, as the picture's header tells; for what is no picture, its size.

    A JPEG counts once for every ten scans: its decoder goes over the whole picture for each, and 40 bytes make a scan.
    """
    return decode_cost(picture) * max(1, scans(picture) // 10)
