import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.data.duplicates import connect, near_duplicates


def partition(components: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(components == number).tolist()) for number in np.unique(components)}


def by_all_pairs(hashes: list[int], bits: int) -> set[frozenset[int]]:
    groups = [{number} for number in range(len(hashes))]
    for left in range(len(hashes)):
        for right in range(left):
            if (hashes[left] ^ hashes[right]).bit_count() <= bits:
                joined = [group for group in groups if left in group or right in group]
                groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    return {frozenset(group) for group in groups}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 32), st.lists(st.integers(0, 3), max_size=40), st.randoms(use_true_random=False))
def test_equals_comparing_all_pairs(bits: int, steps: list[int], random) -> None:  # type: ignore[no-untyped-def]
    hashes = [random.getrandbits(64)]
    for step in steps:  # walks of a few flipped bits around a few centres, so that chains and near misses occur
        base = random.choice(hashes) if step else random.getrandbits(64)
        for _ in range(step):
            base ^= 1 << random.randrange(64)
        hashes.append(base)
    found = near_duplicates(np.array(hashes, dtype=np.uint64), bits)
    assert partition(found) == by_all_pairs(hashes, bits)


@pytest.mark.parametrize("bits", [0, 2, 4])
def test_every_planted_neighbour_is_found_among_many(bits: int) -> None:
    random = np.random.default_rng(bits)
    hashes = random.integers(0, 2**63, 20_000, dtype=np.uint64)
    twins = hashes[:500].copy()
    for row in range(500):
        for bit in random.choice(64, bits, replace=False):
            twins[row] ^= np.uint64(1) << np.uint64(bit)
    components = near_duplicates(np.concatenate([hashes, twins]), bits)
    assert np.array_equal(components[:500], components[-500:])
    assert len(np.unique(components)) == 20_000


def test_connect_links_chains() -> None:
    assert partition(connect(np.arange(6), [0, 1, 4], [1, 2, 5])) == {
        frozenset({0, 1, 2}),
        frozenset({3}),
        frozenset({4, 5}),
    }


def test_empty_input() -> None:
    assert near_duplicates(np.array([], dtype=np.uint64), 2).shape == (0,)
