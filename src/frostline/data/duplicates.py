"""Pictures that are the same, or nearly: they must not be counted twice, nor sit in two splits."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["connect", "near_duplicates"]

_HASH_BITS = 64


def near_duplicates(hashes: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Component numbers, int64 [N], of pictures linked by chains of hashes (uint64 [N]) at most `bits` bits apart.

    Exact, without comparing all pairs: two hashes that differ in at most `bits` bits agree wholly in at least one of
    `bits` + 1 bands, so only pictures that share a band are compared.
    """
    unique, inverse = np.unique(hashes, return_inverse=True)
    components = np.arange(len(unique))
    edges = np.linspace(0, _HASH_BITS, bits + 2).astype(int)
    for low, high in pairwise(edges.tolist()):
        mask = np.uint64(((1 << high) - 1) ^ ((1 << low) - 1))
        components = _connect_in_band(unique, unique & mask, bits, components)
    return components[inverse]


def _connect_in_band(
    hashes: NDArray[np.uint64], band: NDArray[np.uint64], bits: int, components: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Link near hashes among those of equal `band`: sorted by band, each is compared with those at offset 1, 2, ..."""
    order = np.argsort(band, kind="stable")
    hashes, band = hashes[order], band[order]
    offset, starts = 1, np.arange(len(order) - 1)
    while starts.size:
        starts = starts[band[starts] == band[starts + offset]]
        near = starts[np.bitwise_count(hashes[starts] ^ hashes[starts + offset]) <= bits]
        components = connect(components, order[near], order[near + offset])
        offset += 1
        starts = starts[starts + offset < len(order)]
    return components


def connect(
    components: NDArray[np.int64], left: NDArray[np.int64] | Sequence[int], right: NDArray[np.int64] | Sequence[int]
) -> NDArray[np.int64]:
    """The component numbers, int64 [N], after linking each element `left[i]` with `right[i]`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = components[np.asarray(left, dtype=np.int64)], components[np.asarray(right, dtype=np.int64)]
    if np.array_equal(*ends):
        return components
    size = len(components)
    graph = coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(size, size))
    _, merged = connected_components(graph, directed=False)
    relinked: NDArray[np.int64] = merged.astype(np.int64)[components]
    return relinked
