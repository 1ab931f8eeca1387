import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from frostline.config.schema import FolderConfig, PrepareConfig
from frostline.data.images import load_square
from frostline.data.levels import OWN_LEVELS, Levels, Range
from frostline.data.manifest import build
from frostline.data.packed import Form, read_packed, write_packed
from frostline.data.sources import open_source
from frostline.errors import ArtifactError, DataError, WriteError


@pytest.fixture
def root(tmp_path: Path, solar_cells: list[Path]) -> Path:
    for label, first in (("b", 100), ("a", 1700)):
        (tmp_path / "cells" / label).mkdir(parents=True)
        for file in solar_cells[first : first + 10]:
            Image.open(file).save(tmp_path / "cells" / label / file.name)
    return tmp_path / "cells"


@pytest.fixture
def manifest(root: Path, prepare_config: PrepareConfig) -> pd.DataFrame:
    options = FolderConfig(source="folder", path=root)
    return build(open_source(options), options, prepare_config, 1).manifest


def test_round_trip(root: Path, manifest: pd.DataFrame, tmp_path: Path, prepare_config: PrepareConfig) -> None:
    write_packed(tmp_path / "packed", manifest, root, Form(32, "crop"), prepare_config)
    packed = read_packed(tmp_path / "packed")
    assert isinstance(packed.images, np.memmap)
    assert (packed.images.shape, packed.images.dtype) == ((20, 32, 32, 3), np.uint8)
    assert (packed.labels.dtype, packed.classes) == (np.int64, ("a", "b"))
    assert [packed.classes[label] for label in packed.labels] == manifest["label"].tolist()
    assert (packed.image_size, packed.resize) == (32, "crop")
    pd.testing.assert_frame_equal(packed.index, manifest)
    for row in (0, 7, 19):
        expected = load_square(root / manifest["image"][row], 32, "crop", min_side=1, max_pixels=10**6)
        assert np.array_equal(packed.images[row], expected)


def test_fingerprint_follows_content_size_and_labels(
    root: Path, manifest: pd.DataFrame, tmp_path: Path, prepare_config: PrepareConfig
) -> None:
    found = []
    for number, (table, size, resize) in enumerate(
        [
            (manifest, 16, "pad"),
            (manifest.assign(split="train"), 16, "pad"),
            (manifest, 17, "pad"),
            (manifest, 16, "crop"),
            (manifest.assign(label="c"), 16, "pad"),
            (manifest[:-1], 16, "pad"),
        ]
    ):
        write_packed(tmp_path / str(number), table, root, Form(size, resize), prepare_config)
        found.append(read_packed(tmp_path / str(number)).fingerprint)
    assert found[0] == found[1]
    assert len(set(found)) == 5


def test_files_are_in_the_fingerprint_by_their_pixels(
    root: Path, manifest: pd.DataFrame, tmp_path: Path, prepare_config: PrepareConfig
) -> None:
    file, row = root / manifest["image"][3], manifest.index[3]
    original = Image.open(file).convert("RGB")
    found = []
    for name, picture, options in (
        ("small", original, {"optimize": True}),
        ("large", original, {"compress_level": 0}),
        ("mirrored", original.transpose(Image.Transpose.FLIP_LEFT_RIGHT), {}),
    ):
        picture.save(file, "PNG", **options)
        manifest.loc[row, "sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        write_packed(tmp_path / name, manifest, root, Form(16, "pad"), prepare_config)
        found.append(read_packed(tmp_path / name).fingerprint)
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_files_changed_since_prepare(
    root: Path, manifest: pd.DataFrame, tmp_path: Path, prepare_config: PrepareConfig, how: str
) -> None:
    file = root / manifest["image"][3]
    file.unlink() if how == "gone" else Image.new("RGB", (50, 50)).save(file)
    with pytest.raises(DataError, match=f"{manifest['image'][3]} is not as it was when prepared"):
        write_packed(tmp_path / "packed", manifest, root, Form(16, "pad"), prepare_config)
    assert not (tmp_path / "packed").exists()


def test_nothing_packed(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"does not exist\. Make it with: dvc repro"):
        read_packed(tmp_path)


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(
    root: Path, manifest: pd.DataFrame, tmp_path: Path, prepare_config: PrepareConfig
) -> None:
    """On a real file system of one mebibyte, which needs root. A map of the file would end the process here."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        with pytest.raises(WriteError, match=r"packed cannot be written: No space left on device"):
            write_packed(disk / "packed", manifest, root, Form(200, "crop"), prepare_config)
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_levels_are_kept_and_part_of_the_fingerprint(
    root: Path, manifest: pd.DataFrame, tmp_path: Path, prepare_config: PrepareConfig
) -> None:
    packed = []
    for name, levels in (("own", OWN_LEVELS), ("twelve", Levels(Range(0, 4095)))):
        write_packed(tmp_path / name, manifest, root, Form(16, "pad", levels), prepare_config)
        packed.append(read_packed(tmp_path / name))
    assert [each.levels for each in packed] == [OWN_LEVELS, Levels(Range(0, 4095))]
    assert packed[0].fingerprint != packed[1].fingerprint
    assert np.array_equal(packed[0].images, packed[1].images)  # of 8 bits


def test_arrays_of_an_earlier_version_are_not_read(
    root: Path, manifest: pd.DataFrame, tmp_path: Path, prepare_config: PrepareConfig
) -> None:
    write_packed(tmp_path / "packed", manifest, root, Form(16, "pad"), prepare_config)
    facts = json.loads((tmp_path / "packed/packed.json").read_text())
    del facts["levels"]
    (tmp_path / "packed/packed.json").write_text(json.dumps(facts))
    with pytest.raises(ArtifactError, match=r"damaged, or not of this version.*dvc repro --force preprocess"):
        read_packed(tmp_path / "packed")
