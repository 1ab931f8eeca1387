"""A row store gives back what was written, and nothing else."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.cache.rowstore import RowStore
from frostline.errors import CacheError, WriteError

ROWS = np.arange(6)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "group" / "map-1.values"


def _filled(path: Path, dtype: str = "float32") -> np.ndarray:
    store = RowStore(path, (6, 2, 3), dtype)
    store.write(ROWS, np.random.default_rng(0).normal(size=(6, 2, 3)))
    return store[ROWS]


def _flip_a_bit(path: Path, row: int) -> None:
    content = bytearray(path.read_bytes())
    content[row * 2 * 3 * 4 + 5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_written_rows_come_back_bit_for_bit(path: Path, dtype: str) -> None:
    written = _filled(path, dtype)
    reopened = RowStore(path, (6, 2, 3), dtype)
    assert len(reopened.missing(ROWS)) == 0
    assert reopened[ROWS].dtype == np.dtype(getattr(ml_dtypes, dtype, dtype))
    assert reopened[ROWS].tobytes() == written.tobytes()
    assert reopened[np.array([4, 1, 4])].tobytes() == written[[4, 1, 4]].tobytes()


def test_a_flipped_bit_makes_just_its_row_missing(path: Path) -> None:
    _filled(path)
    _flip_a_bit(path, 3)
    assert RowStore(path, (6, 2, 3), "float32").missing(ROWS).tolist() == [3]


def test_a_row_that_is_damaged_while_in_use_is_an_error(path: Path) -> None:
    _filled(path)
    store = RowStore(path, (6, 2, 3), "float32")
    assert len(store.missing(ROWS)) == 0
    _flip_a_bit(path, 3)
    assert len(store[np.array([2, 4])]) == 2
    with pytest.raises(CacheError, match=r"1 of 6 rows are not what was written there\. Run the same command again"):
        store[ROWS]


def test_a_file_that_vanishes_while_in_use_is_an_error(path: Path) -> None:
    _filled(path)
    store = RowStore(path, (6, 2, 3), "float32")
    path.unlink()
    with pytest.raises(CacheError, match=rf"{path} cannot be read: No such file .*is then computed anew"):
        store[ROWS]


def test_a_row_that_was_only_half_written_is_missing(path: Path) -> None:
    _filled(path)
    with path.open("r+b") as file:
        file.seek(2 * 24)
        file.write(b"\0" * 12)
    assert RowStore(path, (6, 2, 3), "float32").missing(ROWS).tolist() == [2]


def test_a_truncated_file_is_missing_whole_and_can_be_filled_again(path: Path) -> None:
    written = _filled(path)
    in_use = RowStore(path, (6, 2, 3), "float32")
    assert len(in_use[ROWS]) == 6
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CacheError, match="1 of 6 rows"):
        in_use[ROWS]
    store = RowStore(path, (6, 2, 3), "float32")
    assert store.missing(ROWS).tolist() == ROWS.tolist()
    store.write(ROWS, written)
    assert len(RowStore(path, (6, 2, 3), "float32").missing(ROWS)) == 0


def test_missing_checksums_make_every_row_missing(path: Path) -> None:
    _filled(path)
    path.with_suffix(".checks").unlink()
    assert RowStore(path, (6, 2, 3), "float32").missing(ROWS).tolist() == ROWS.tolist()


def test_a_full_disk_is_one_clear_error_and_what_was_written_is_kept(tmp_path: Path) -> None:
    """On a real file system of one mebibyte, which needs root; elsewhere nothing can be full on command."""
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        store = RowStore(disk / "map-1.values", (6, 300_000), "uint8")
        values = np.full((6, 300_000), 7, dtype=np.uint8)
        with pytest.raises(WriteError, match=r"prefix cache cannot write .*No space left.*stores.cache_gigabytes"):
            store.write(ROWS, values)
        again = RowStore(disk / "map-1.values", (6, 300_000), "uint8")
        assert again.missing(ROWS).tolist() == [3, 4, 5]
        assert (again[np.arange(3)] == 7).all()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@settings(max_examples=25, deadline=None)
@given(chunks=st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=5))
def test_any_order_of_filling_leaves_exactly_the_other_rows_missing(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[set[int]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "pooled-1.values"
    for chunk in chunks:
        rows = np.array(sorted(chunk))
        RowStore(path, (10, 4), "float32").write(rows, rows[:, None] * np.ones(4))
    filled = set().union(*chunks)
    final = RowStore(path, (10, 4), "float32")
    assert set(final.missing(np.arange(10)).tolist()) == set(range(10)) - filled
    assert all((final[np.array([row])] == row).all() for row in filled)
