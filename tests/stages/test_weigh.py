"""What `weigh` notes is all that DVC knows about weights: it must follow a file's content, wherever the file is."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from frostline import __version__
from frostline.backbones.foreign import HDF5
from frostline.errors import WeightsError
from frostline.stages.weigh import run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def weigh(tmp_path, monkeypatch):
    """`weigh(weights)`: what the stage notes of a backbone with that value in params.yaml."""
    monkeypatch.chdir(tmp_path)

    def note(weights: str | None, **options: str) -> dict:
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["backbones"] = {"mine": options or {"application": "vgg16", "weights": weights}}
        Path("params.yaml").write_text(yaml.safe_dump(params))
        run("mine")
        return json.loads(Path("data/backbones/mine.json").read_text())

    return note


def test_weights_are_named_or_known_by_their_bytes(weigh, tmp_path, monkeypatch):
    assert weigh("imagenet")["weights"] == "imagenet"
    assert weigh(None)["weights"] == "random"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    far = tmp_path / "far/own.h5"
    for place, name in (("own.h5", "own.h5"), ("home/own.h5", "~/own.h5"), (far, str(far))):
        Path(place).parent.mkdir(exist_ok=True)
        for content in (HDF5 + b"first", HDF5 + b"other"):
            Path(place).write_bytes(content)
            noted = weigh(name)
            assert noted["weights"] == hashlib.sha256(content).hexdigest()
    assert noted["release"] == __version__
    assert {"keras", "numpy", "optuna"} < set(noted["libraries"])


def test_a_copy_of_the_repository_notes_the_same(weigh, tmp_path, monkeypatch):
    Path("own.h5").write_bytes(HDF5)
    here = weigh("own.h5")
    (tmp_path / ".git").mkdir()
    copied = tmp_path / ".dvc/tmp/exps/tmp1"  # as `dvc exp run --temp` makes it: without what git does not track
    (copied / ".git").mkdir(parents=True)
    shutil.copy("params.yaml", copied)
    monkeypatch.chdir(copied)
    assert weigh("own.h5") == here


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("gone.h5", "cannot be read: No such file or directory. Put"),
        (".", "is a folder, and none that is known here"),
        ("net.pth", "is a Python pickle"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(weigh, weights, words):
    Path("net.pth").write_bytes(b"\x80\x02]q")
    with pytest.raises(WeightsError, match=rf"{weights} \(backbones\.mine\.weights in params\.yaml\) {words}"):
        weigh(weights)
    assert not Path("data/backbones/mine.json").exists()


def test_a_preset_is_known_by_its_name_or_by_all_files_in_its_folder(weigh):
    assert "preset resnet_50_imagenet, KerasHub" in weigh(None, preset="resnet_50_imagenet")["weights"]
    Path("mine").mkdir()
    noted = set()
    for name, content in (("config.json", "{}"), ("model.weights.h5", "1"), ("model.weights.h5", "2")):
        Path("mine", name).write_text(content)
        noted.add(weigh(None, preset="mine")["weights"])
    assert len(noted) == 3
