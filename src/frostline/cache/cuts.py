"""Which cuts are worth caching: reading activations against computing them again in every epoch."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Rates", "choose_cuts", "deepest_cut"]


@dataclass(frozen=True)
class Rates:
    """What this machine does in a second: floating-point operations of a forward pass, bytes read, bytes written.

    `tracing` is how many seconds more the first pass of a network takes than the next.
    """

    flops: float
    read: float
    written: float
    tracing: float = 0.0


def choose_cuts(
    flops: Sequence[float],
    sizes: Mapping[int, int],
    reads: Mapping[int, float],
    images: int,
    rates: Rates,
    limit_bytes: float,
) -> tuple[int, ...]:
    """The cuts whose maps are to be cached, in ascending order.

    A trial that freezes f blocks reads the deepest cached cut s <= f and computes blocks s + 1 to f for every image of
    every epoch; cut 0, the images, costs nothing to keep. Of all candidate cuts the one that saves most time is added,
    again and again, as long as it saves more than writing it takes and fits the limit.

    Args:
        flops: of each block's forward pass for one image.
        sizes: bytes of one image's map after each candidate cut.
        reads: how often, in all, trials that freeze so many blocks are expected to read an image.
        images: how many maps a cut holds: images times views.
        rates: of this machine.
        limit_bytes: what all chosen cuts may take.

    Reading the map after block 1 takes a millisecond, computing it ten:

    >>> rates = Rates(flops=1e11, read=1e9, written=1e9)
    >>> choose_cuts([1e9, 2e9], {1: 10**6}, {1: 1000}, images=100, rates=rates, limit_bytes=1e9)
    (1,)
    """
    chosen: set[int] = set()

    def seconds(cuts: Collection[int]) -> float:
        total = sum(images * sizes[cut] / rates.written for cut in cuts)
        for frozen, times in reads.items():
            source = deepest_cut(cuts, frozen)
            total += times * (sum(flops[source:frozen]) / rates.flops + sizes.get(source, 0) / rates.read)
        return total

    while True:
        room = limit_bytes - images * sum(sizes[cut] for cut in chosen)
        candidates = [cut for cut in sizes if cut not in chosen and images * sizes[cut] <= room]
        best = min(candidates, key=lambda cut: seconds({*chosen, cut}), default=None)
        if best is None or seconds({*chosen, best}) >= seconds(chosen):
            return tuple(sorted(chosen))
        chosen.add(best)


def deepest_cut(cuts: Collection[int], frozen: int) -> int:
    """The deepest of `cuts` that lies within the first `frozen` blocks; 0, the images, if there is none.

    >>> deepest_cut([2, 4], frozen=3)
    2
    """
    return max((cut for cut in cuts if cut <= frozen), default=0)
