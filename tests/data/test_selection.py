import numpy as np
import pandas as pd
import pytest

from frostline.data.selection import group_images

TELLING = 0x5555_5555_5555_5555


def groups(hashes: list[int], bits: int | None, source: list[str | None] | None = None) -> list[int]:
    """The number of each image's group, in the order of first appearance."""
    images = pd.DataFrame(
        {
            "phash": np.array(hashes, dtype=np.uint64),
            "source_group": source or [None] * len(hashes),
            "sha256": [f"{number:064}" for number in range(len(hashes))],
        }
    ).assign(sha256=lambda table: table["sha256"].str[::-1])
    return pd.factorize(group_images(images, bits))[0].tolist()


@pytest.mark.parametrize(("bits", "expected"), [(2, [0, 0, 1]), (0, [0, 1, 2]), (None, [0, 1, 2])])
def test_near_hashes_make_a_group_unless_none_are_looked_for(bits: int | None, expected: list[int]) -> None:
    assert groups([TELLING, TELLING ^ 3, TELLING ^ 0xFF], bits) == expected


@pytest.mark.parametrize("hash_", [0, 1 << 63, 0xC4 << 56, 0x8200280020008200])
def test_hashes_of_plain_surfaces_say_nothing(hash_: int) -> None:
    assert groups([hash_, TELLING, hash_, TELLING], 2) == [0, 1, 2, 1]


def test_groups_of_the_source_hold_whatever_the_hash() -> None:
    assert groups([0, 0, TELLING, TELLING], 2, ["a", None, "a", None]) == [0, 1, 0, 0]
