"""What the system refuses of what a user names, and the debug mode where DVC runs a stage."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from frostline.backbones.catalogue import find_backbone
from frostline.backbones.loading import load_weights
from frostline.commands import advise, predict
from frostline.config.schema import BackboneConfig, FolderConfig, PrepareConfig
from frostline.data.manifest import build
from frostline.data.sources.folder import FolderSource
from frostline.errors import ArtifactError, DataError, WeightsError
from frostline.report.page import _picture

ROOT = Path(__file__).parents[2]
LONG = Path("x" * 300)


def test_names_that_the_system_refuses_are_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    vgg16 = find_backbone("vgg16", BackboneConfig())
    source, prepare = FolderConfig(source="folder", path=LONG), PrepareConfig()
    for act, kind in (
        (lambda: predict.run([LONG], None, "json"), DataError),
        (lambda: advise.run(LONG, "vgg16", "imagenet", 32, 20, Path("advice.png")), DataError),
        (lambda: build(FolderSource(LONG), source, prepare, 0), DataError),
        (lambda: load_weights(None, vgg16, str(LONG)), WeightsError),
    ):
        with pytest.raises(kind, match=r"xxx cannot be read: File name too long\. Mend its name or its permissions"):
            act()


def test_a_picture_of_the_report_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"trials\.png does not exist. Make it with: dvc repro"):
        _picture(tmp_path / "trials.png")


def test_stages_of_dvc_show_their_tracebacks_in_debug_mode(tmp_path: Path) -> None:
    for arguments in (["git", "init"], [sys.executable, "-m", "dvc", "init"]):
        subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True)
    command = f"{sys.executable} -m frostline scan cells"
    (tmp_path / "dvc.yaml").write_text(f"stages:\n  scan:\n    cmd: {command}\n    always_changed: true\n")
    said = {}
    for value in ("", "1"):
        answer = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=tmp_path,
            env=os.environ | {"FROSTLINE_DEBUG": value},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode != 0
        assert f"Error: params.yaml does not exist in {tmp_path}" in answer.stderr
        said[value] = answer.stderr
    assert "Traceback" not in said[""]
    assert "Traceback (most recent call last):" in said["1"]
