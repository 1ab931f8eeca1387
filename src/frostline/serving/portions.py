"""Pictures of a request, and how many of them are one turn's work."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from frostline.data.formats.jpeg import scans
from frostline.data.images import decode_cost

__all__ = ["Picture", "decoding_work", "portions"]

_MOST_BYTES = 128_000_000
_NETWORK = 4_000_000  # bytes that are decoded in about the time of a picture's way through the network


@dataclass(frozen=True)
class Picture:
    """A picture's file and the work of `decoding` it, in bytes; or, in `error`, why there is none."""

    content: bytes
    decoding: int
    error: str = ""

    @property
    def cost(self) -> int:
        """All of its work, as the bytes that are decoded in the same time."""
        return self.decoding + _NETWORK


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
