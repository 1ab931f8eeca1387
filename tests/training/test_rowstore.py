"""A row store gives back what was committed, and nothing else."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.training.rowstore import RowStore

ROWS = np.arange(6)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "group" / "map-1.values"


def _filled(path: Path, dtype: str = "float32") -> np.ndarray:
    store = RowStore(path, (6, 2, 3), dtype)
    values = np.random.default_rng(0).normal(size=(6, 2, 3))
    store.write(ROWS, values)
    store.commit(ROWS)
    return np.array(store.values)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_committed_rows_come_back_bit_for_bit(path: Path, dtype: str) -> None:
    written = _filled(path, dtype)
    reopened = RowStore(path, (6, 2, 3), dtype)
    assert len(reopened.missing(ROWS)) == 0
    assert reopened.values.dtype == np.dtype(getattr(ml_dtypes, dtype, dtype))
    assert reopened.values.tobytes() == written.tobytes()


def test_written_but_uncommitted_rows_are_missing_to_the_next_process(path: Path) -> None:
    store = RowStore(path, (6, 2, 3), "float32")
    store.write(ROWS, np.ones((6, 2, 3)))
    store.commit(np.array([1, 4]))
    assert RowStore(path, (6, 2, 3), "float32").missing(ROWS).tolist() == [0, 2, 3, 5]


def test_a_flipped_bit_makes_just_its_row_missing(path: Path) -> None:
    _filled(path)
    content = bytearray(path.read_bytes())
    content[3 * 2 * 3 * 4 + 5] ^= 1
    path.write_bytes(content)
    assert RowStore(path, (6, 2, 3), "float32").missing(ROWS).tolist() == [3]


def test_a_truncated_file_is_missing_whole_and_can_be_filled_again(path: Path) -> None:
    written = _filled(path)
    path.write_bytes(path.read_bytes()[:-1])
    store = RowStore(path, (6, 2, 3), "float32")
    assert store.missing(ROWS).tolist() == ROWS.tolist()
    store.write(ROWS, written)
    store.commit(ROWS)
    assert len(RowStore(path, (6, 2, 3), "float32").missing(ROWS)) == 0


def test_missing_checksums_make_every_row_missing(path: Path) -> None:
    _filled(path)
    path.with_suffix(".checks").unlink()
    assert RowStore(path, (6, 2, 3), "float32").missing(ROWS).tolist() == ROWS.tolist()


@settings(max_examples=25, deadline=None)
@given(chunks=st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=5))
def test_any_order_of_filling_leaves_exactly_the_other_rows_missing(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[set[int]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "pooled-1.values"
    for chunk in chunks:
        store = RowStore(path, (10, 4), "float32")
        rows = np.array(sorted(chunk))
        store.write(rows, rows[:, None] * np.ones(4))
        store.commit(rows)
    filled = set().union(*chunks)
    final = RowStore(path, (10, 4), "float32")
    assert set(final.missing(np.arange(10)).tolist()) == set(range(10)) - filled
    assert all((final.values[row] == row).all() for row in filled)
