"""A preset of KerasHub, whose layers are whole blocks, from pictures to served labels."""

import json
from pathlib import Path

import pytest
import yaml
from small_project import change, frostline, make_project, predicted_as_evaluated, run_stages

from small_presets import mobilenet

NAME = "cells-small-mine"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, solar_cells: list[Path]) -> Path:
    hub = pytest.importorskip("keras_hub", reason="KerasHub (extra: presets) is not installed")
    folder = tmp_path_factory.mktemp("preset")
    make_project(folder, solar_cells[:48])
    mobilenet(hub).save_to_preset(str(folder / "my preset"))
    hub.layers.MobileNetImageConverter(image_size=(48, 48), scale=1 / 127.5, offset=-1.0).save_to_preset(
        str(folder / "my preset")
    )
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["backbones"] = {"mine": {"preset": "my preset"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    change(folder, train={"epochs": 1, "folds": 2, "repeats": 1}, promotion={"floors": {}})
    run_stages(folder, "mine")
    return folder


def test_served_and_exported_answers_are_those_that_were_evaluated(project: Path) -> None:
    files, _ = predicted_as_evaluated(project, NAME)
    exported = frostline(project, "export", "--format", "keras", "--output", "out/champion.keras")
    assert exported.returncode == 0, exported.stderr
    assert f"of {len(files)} test images 100.0% get the same label" in exported.stderr


def test_the_version_says_that_it_needs_kerashub_and_the_card_whose_weights_they_are(project: Path) -> None:
    (requirements,) = {path.read_text() for path in (project / "mlruns").rglob("requirements.txt")}
    assert "keras-hub==" in requirements
    assert json.loads((project / "data/packed/cells-mine/packed.json").read_text())["image_size"] == 48
    assert "of the preset my preset of KerasHub" in (project / "reports/index.html").read_text()
