"""A feed gives the same batches from memory as from a stream."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from frostline.training.feed import make_feed

SOURCES = [np.random.default_rng(view).normal(size=(30, 2, 3)).astype(np.float32) for view in range(4)]


@given(rows=st.lists(st.integers(0, 29), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_memory_and_stream_agree(rows, seed):
    rows = np.array(rows)
    views = np.random.default_rng(seed).integers(4, size=len(rows))
    expected = np.stack([SOURCES[view][row] for row, view in zip(rows, views, strict=True)])
    for limit in (10**9, 0):
        feed = make_feed(SOURCES, rows, limit)
        assert feed.views == 4
        np.testing.assert_array_equal(feed.batch(rows, views), expected)


def test_what_does_not_fit_is_read_when_it_is_asked_for():
    class Counting:
        def __init__(self):
            self.read = 0

        def __getitem__(self, rows):
            self.read += len(rows)
            return SOURCES[0][rows]

    for limit, before, after in ((30 * 24, 31, 31), (30 * 24 - 1, 1, 6)):
        source = Counting()
        feed = make_feed([source], np.arange(30), limit)
        assert source.read == before
        feed.batch(np.arange(5), np.zeros(5, dtype=int))
        assert source.read == after
