"""`scripts/make_reference.py` as a user runs it."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "make_reference.py"


def arguments(images: Path, *options: str) -> list[str]:
    return [str(SCRIPT), str(images), "--data", "solar cells", *options]


@pytest.fixture
def folder(tmp_path: Path, solar_cells: list[Path]) -> Path:
    """Four pictures, one of them cut off, below a folder."""
    place = tmp_path / "pictures" / "deep"
    place.mkdir(parents=True)
    for cell in solar_cells[:4]:
        shutil.copy(cell, place)
    (place / "broken.png").write_bytes(solar_cells[0].read_bytes()[:500])
    return tmp_path / "pictures"


def test_a_reference_is_made_of_the_pictures_that_can_be_read(folder: Path, tmp_path: Path) -> None:
    from frostline.backbones.surgery import build_backbone
    from frostline.config.schema import BackboneConfig
    from frostline.regimes.reference import find_reference

    weights = tmp_path / "mine.weights.h5"
    build_backbone("vgg19", BackboneConfig(weights=None, image_size=32), seed=1).network.save_weights(weights)
    output = tmp_path / "made" / "mine.npz"
    chosen = ("--backbone", "vgg19", "--weights", str(weights), "--sizes", "32", "48")
    command = [sys.executable, *arguments(folder, *chosen, "--output", str(output))]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "broken.png is left out" in answer.stdout + answer.stderr
    with np.load(output) as stored:
        assert json.loads(str(stored["provenance"]))["images"] == 4
    backbone = build_backbone("vgg19", BackboneConfig(weights=str(weights), image_size=48))
    assert find_reference(backbone, output.parent).source == "4 images of solar cells at 48 pixels"


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]):
    """`refusal(images, *options)`: the exit code and the last line of an error, in a process that has TensorFlow."""

    def make(images: Path, *options: str) -> tuple[object, str]:
        argv = patch.object(sys, "argv", arguments(images, *options))
        with argv, patch.dict(os.environ), pytest.raises(SystemExit) as end:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return end.value.code, capsys.readouterr().err.splitlines()[-1]

    return make


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--sizes", "0"), 2, "must be a whole number of pixels from 1, but got 0"),
        (("--sizes", "8"), 1, "at least 32 for VGG16, but got 8"),
        (("--backbone", "vgg61"), 1, "No Keras application is called 'vgg61'"),
        (("--weights", "absent.h5"), 1, "absent.h5 of VGG16 does not exist"),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(refusal, folder: Path, options, code: int, message: str) -> None:
    found, said = refusal(folder, "--output", str(folder / "out.npz"), *options)
    assert found == code
    assert message in said
    assert not (folder / "out.npz").exists()


def test_a_folder_without_pictures_is_one_clear_error(refusal, tmp_path: Path) -> None:
    code, said = refusal(tmp_path)
    assert code == 1
    assert "holds no picture that can be read" in said
