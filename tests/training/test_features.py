"""What a head reads: blocks beside each other, averaged over views, held in memory or read anew."""

import numpy as np
import pytest

from frostline.training.features import ReadOut, Vectors

ROWS = np.array([1, 3, 4, 6, 7, 9])
STORED = {
    (view, block): np.random.default_rng([number, block]).normal(size=(10, 2 * block)).astype(np.float32)
    for number, view in enumerate(("identity", "mirror", "flip"))
    for block in (2, 3)
}


class Counting:
    """A store of pooled vectors that counts the rows that are read, and has only those of ROWS."""

    def __init__(self):
        self.read = 0

    def __call__(self, view, block):
        counting = self

        class Store:
            def __getitem__(self, rows):
                assert set(rows) <= set(ROWS)
                counting.read += len(rows)
                return STORED[view, block][rows]

        return Store()


@pytest.mark.parametrize("limit", [10**6, 0])
def test_vectors_are_averaged_over_views_and_blocks_stand_in_order(limit):
    vectors = Vectors(Counting(), ROWS, limit)
    views, rows = ("identity", "mirror", "flip"), np.array([9, 3, 3, 7])  # in any order, and twice
    means = {block: np.mean([STORED[view, block] for view in views], axis=0)[rows] for block in (2, 3)}
    expected = {
        "average": np.concatenate([means[2][:, :2], means[3][:, :3]], axis=1),
        "maximum": np.concatenate([means[2][:, 2:], means[3][:, 3:]], axis=1),
        "both": np.concatenate([means[2], means[3]], axis=1),
    }
    for pooling, wanted in expected.items():
        found = ReadOut(vectors, (2, 3), pooling, views)[rows]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    one = ReadOut(vectors, (3,), "both", ("mirror",))[rows]
    np.testing.assert_array_equal(one, STORED["mirror", 3][rows])


def test_what_is_stored_is_never_written_to():
    before = {key: values.copy() for key, values in STORED.items()}
    vectors = Vectors(lambda view, block: STORED[view, block], np.arange(10), 10**6)
    vectors.average(("identity", "mirror"), 3, np.arange(10))
    for key, values in STORED.items():
        np.testing.assert_array_equal(values, before[key])


def test_averages_are_read_once_while_they_fit_and_anew_beyond():
    counting = Counting()
    vectors = Vectors(counting, ROWS, 6 * 4 * 4)  # just the six rows of block 2
    for block, expected in ((2, 1 + 6), (2, 0), (3, 1 + 2), (3, 1 + 2), (2, 0)):
        before = counting.read
        vectors.average(("identity",), block, ROWS[:2])
        assert counting.read - before == expected, block
