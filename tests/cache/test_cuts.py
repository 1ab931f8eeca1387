"""Cuts are cached where reading beats computing, and only those."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.cache.cuts import Rates, choose_cuts, deepest_cut

FLOPS = [2e9, 4e9, 4e9, 2e9, 1e9]
SIZES = {1: 1_600_000, 2: 800_000, 3: 400_000, 4: 200_000}
CPU = Rates(flops=3e11, read=1e9, written=5e8)


def test_every_cut_that_trials_read_often_is_cached_on_a_slow_processor():
    reads = {0: 1e5, 1: 1e5, 2: 1e5, 3: 1e5, 4: 1e5}
    assert choose_cuts(FLOPS, SIZES, reads, 1000, CPU, 1e12) == (1, 2, 3, 4)


def test_nothing_is_cached_where_computing_is_faster_than_reading():
    fast = Rates(flops=1e15, read=1e8, written=1e8)
    assert choose_cuts(FLOPS, SIZES, dict.fromkeys(SIZES, 1000000.0), 1000, fast, 1e12) == ()


def test_a_cut_that_is_read_less_than_it_costs_to_write_is_not_cached():
    assert choose_cuts(FLOPS, SIZES, {4: 10}, 1000, Rates(3e11, 1e9, 1e6), 1e12) == ()


def test_under_a_limit_the_cut_that_saves_most_comes_first():
    reads = {1: 1e4, 4: 1e4}
    assert choose_cuts(FLOPS, SIZES, reads, 1000, CPU, 1000 * 200_000) == (4,)
    assert choose_cuts(FLOPS, SIZES, reads, 1000, CPU, 1000 * 199_999) == ()


@given(
    flops=st.lists(st.floats(1e6, 1e10), min_size=2, max_size=6),
    size=st.integers(100, 10**6),
    times=st.floats(0, 1e6),
    read=st.floats(1e6, 1e10),
    limit=st.floats(0, 1e10),
)
def test_chosen_cuts_fit_the_limit_and_never_cost_more_than_none(flops, size, times, read, limit):
    sizes = {cut: size // cut for cut in range(1, len(flops))}
    rates = Rates(1e11, read, read)
    cuts = choose_cuts(flops, sizes, dict.fromkeys(sizes, times), 100, rates, limit)
    assert 100 * sum(sizes[cut] for cut in cuts) <= limit

    def seconds(chosen):
        total = sum(100 * sizes[cut] / rates.written for cut in chosen)
        for frozen in sizes:
            source = deepest_cut(chosen, frozen)
            total += times * (sum(flops[source:frozen]) / rates.flops + sizes.get(source, 0) / rates.read)
        return total

    assert seconds(cuts) <= seconds(()) * (1 + 1e-9)


@pytest.mark.parametrize(("frozen", "cut"), [(0, 0), (1, 0), (2, 2), (3, 2), (5, 4)])
def test_the_deepest_cut_is_never_beyond_the_frozen_blocks(frozen, cut):
    assert deepest_cut((2, 4), frozen) == cut
