"""What `frostline export` compares with and calibrates by: the pictures that are on this machine."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from frostline.commands.export import material_of
from frostline.config.load import load_config
from frostline.config.schema import Config, FolderConfig
from frostline.data.manifest import Prepared, write_prepared
from frostline.records.train_record import write_training_images
from frostline.registry.models import LoadedVersion

COUNT = 8


@pytest.fixture
def config(tmp_path: Path, cells: list[Path], monkeypatch: pytest.MonkeyPatch) -> Config:
    """Of a prepared data set of eight pictures, every second one to test on."""
    monkeypatch.chdir(tmp_path)
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
    rows = []
    for number, cell in enumerate(cells[:COUNT]):
        label, split = "ab"[number // 2 % 2], ("train", "test")[number % 2]
        shutil.copy(cell, tmp_path / "images" / label)
        image = f"{label}/{cell.name}"
        facts = {"group": image, "width": 300, "height": 300, "sha256": str(number)}
        rows.append({"image": image, "label": label, "split": split} | facts)
    nothing = pd.DataFrame(columns=["image"])
    write_prepared(tmp_path / "data/prepared/cells", Prepared(pd.DataFrame(rows), nothing, nothing, {}))
    source = FolderConfig(source="folder", path=tmp_path / "images")
    return load_config(Path(__file__).parents[2] / "params.yaml").model_copy(update={"datasets": {"cells": source}})


def version(folder: Path, trained_on: list[str]) -> LoadedVersion:
    (folder / "artifacts").mkdir()
    write_training_images(folder / "artifacts", trained_on)
    return LoadedVersion("frostline-cells", "1", SimpleNamespace(model_config={"classes": ["a", "b"]}), folder)


def test_it_is_the_test_split_and_training_images(config: Config, tmp_path: Path) -> None:
    found = material_of(config, "cells", version(tmp_path, ["0"]))
    assert sorted(found.test.sha256) == ["1", "3", "5", "7"]
    assert len(found.training) == COUNT // 2
    assert not set(found.training) & set(found.test.paths)


def test_who_was_trained_on_all_test_images_has_something_to_calibrate_by_all_the_same(
    config: Config, tmp_path: Path
) -> None:
    found = material_of(config, "cells", version(tmp_path, [str(number) for number in range(COUNT)]))
    assert found.test is None
    assert len(found.training) == COUNT // 2


def test_on_another_machine_there_is_nothing(config: Config, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "images")
    found = material_of(config, "cells", version(tmp_path, []))
    assert (found.test, found.training) == (None, ())
