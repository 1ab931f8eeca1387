"""A preset of KerasHub, whose layers are whole blocks, from pictures to served labels."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from small_project import change, frostline, make_project

NAME = "cells-small-mine"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, solar_cells: list[Path]) -> Path:
    hub = pytest.importorskip("keras_hub", reason="KerasHub (extra: presets) is not installed")
    folder = tmp_path_factory.mktemp("preset")
    make_project(folder, solar_cells[:48])
    network = hub.models.MobileNetBackbone(
        stackwise_expansion=[[16], [24, 24]],
        stackwise_num_blocks=[1, 2],
        stackwise_num_filters=[[16], [24, 24]],
        stackwise_kernel_size=[[3], [5, 5]],
        stackwise_num_strides=[[2], [2, 1]],
        stackwise_se_ratio=[[None], [0.25, 0.25]],
        stackwise_activation=[["relu"], ["hard_swish", "hard_swish"]],
        stackwise_padding=[[1], [2, 2]],
        output_num_filters=32,
        depthwise_filters=16,
        depthwise_stride=1,
        depthwise_residual=True,
        last_layer_filter=32,
        squeeze_and_excite=0.5,
        image_shape=(None, None, 3),
    )
    network.save_to_preset(str(folder / "my preset"))
    hub.layers.MobileNetImageConverter(image_size=(48, 48), scale=1 / 127.5, offset=-1.0).save_to_preset(
        str(folder / "my preset")
    )
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["backbones"] = {"mine": {"preset": "my preset"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    change(folder, train={"epochs": 1, "folds": 2, "repeats": 1}, promotion={"floors": {}})
    for command in (
        ("scan", "cells"),
        ("weigh", "mine"),
        ("prepare", "cells"),
        ("preprocess", "cells", "mine"),
        ("profile", "cells", "mine"),
        ("train", "cells", "small", "mine"),
        ("evaluate", "cells", "small", "mine"),
        ("labels", "cells"),
        ("register", "cells"),
        ("report",),
        ("promote", "cells", "--why", "a preset"),
    ):
        answer = frostline(folder, *command)
        assert answer.returncode == 0, f"{command}: {answer.stderr}"
    return folder


def test_served_and_exported_answers_are_those_that_were_evaluated(project: Path) -> None:
    evaluated = pd.read_csv(project / f"results/evaluation/{NAME}/predictions.csv").set_index("image")
    files = [f"images/{image}" for image in evaluated.index]
    said = pd.read_csv(StringIO(frostline(project, "predict", *files, "--format", "csv").stdout))
    columns = ["probability_even", "probability_odd"]
    np.testing.assert_allclose(said[columns], evaluated[columns], atol=1e-3)
    assert said["label"].tolist() == evaluated["predicted"].tolist()
    exported = frostline(project, "export", "--format", "keras", "--output", "out/champion.keras")
    assert exported.returncode == 0, exported.stderr
    assert f"of {len(files)} test images 100.0% get the same label" in exported.stderr


def test_the_version_says_that_it_needs_kerashub_and_the_card_whose_weights_they_are(project: Path) -> None:
    (requirements,) = {path.read_text() for path in (project / "mlruns").rglob("requirements.txt")}
    assert "keras-hub==" in requirements
    assert json.loads((project / "data/packed/cells-mine/packed.json").read_text())["image_size"] == 48
    assert "of the preset my preset of KerasHub" in (project / "reports/index.html").read_text()
