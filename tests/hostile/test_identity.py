"""The repository's own pipeline under real DVC: what changed beside data and parameters redoes what it must, no more.

`scan` and `weigh` are frostline's own, and of `plan` what it leaves; stages that decode or train are a program that
writes what follows from its inputs alone, as they do, but for `train`, whose record names its runs.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]
ALWAYS = ("scan", "weigh", "plan", "register")
PICTURES = {"prepare@cells", "preprocess@cells-filed", "preprocess@cells-named", "labels@cells", "report"}
COMMAND = """#!{python}
import json, sys, uuid
from pathlib import Path

stage, *names = sys.argv[1:]
if stage in ("scan", "weigh"):
    from frostline.cli import main

    sys.exit(main())
if stage == "plan":
    from frostline.config.load import load_config
    from frostline.records.settings import write_settings

    sys.exit(write_settings(load_config()))
name, one, all_names = names[0] if names else "", "-".join(names[:2]), "-".join(names)


def read(file):
    return json.loads(Path(file).read_text())


def write(content, *files):
    for file in map(Path, files):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))


if stage == "prepare":
    source = read(f"data/sources/{{name}}.json")
    write([source["decoder"], source["libraries"]], f"data/prepared/{{name}}/card.json")
elif stage == "preprocess":
    decoder, _ = read(f"data/prepared/{{name}}/card.json")
    write(decoder, f"data/packed/{{one}}/packed.json")
elif stage == "profile":
    inputs = [read(f"data/packed/{{one}}/packed.json"), read(f"data/backbones/{{names[1]}}.json")]
    write(inputs, f"results/profile/{{one}}.json", f"results/profile/{{one}}.png")
elif stage == "train":
    write(str(uuid.uuid4()), f"models/{{all_names}}/train.json")
elif stage == "evaluate":
    files = "evidence.json metrics.json predictions.csv confusion.png thresholds.png reliability.png mistakes.png"
    write({{}}, *(f"results/evaluation/{{all_names}}/{{file}}" for file in (*files.split(), "gradcam.png")))
elif stage == "labels":
    write({{}}, *(f"results/labels/{{name}}/{{file}}" for file in ("label_issues.csv", "summary.json", "gallery.png")))
elif stage == "register":
    write({{}}, f"results/registered/{{name}}.json")
else:
    write({{}}, "reports/index.html", "reports/regimes.csv")
"""


def networks(backbone: str) -> set[str]:
    cell = f"cells-small-{backbone}"
    return {f"profile@cells-{backbone}", f"train@{cell}", f"evaluate@{cell}", "labels@cells", "report"}


class Project:
    """A project with two backbones, one with a weights file, beside a copy of frostline whose libraries can change."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder / "project", folder / "site"
        shutil.copytree(ROOT / "src/frostline", self.site / "frostline", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "bin").mkdir()
        (folder / "bin/frostline").write_text(COMMAND.format(python=sys.executable))
        (folder / "bin/frostline").chmod(0o755)
        self._environment = os.environ | {
            "PYTHONPATH": str(self.site),
            "PATH": f"{folder / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "KERAS_BACKEND": "tensorflow",
        }
        (self.folder / "images/a").mkdir(parents=True)
        Image.new("RGB", (20, 20)).save(self.folder / "images/a/1.png")
        self.weights = folder / "mine.weights.h5"
        self.weights.write_bytes(b"\x89HDF\r\n\x1a\nweights")
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["datasets"] = {"cells": {"source": "folder", "path": "images"}}
        params["sizes"] = {"small": 5}
        filed = {"application": "xception", "weights": "~/mine.weights.h5"}
        params["backbones"] = {"filed": filed, "named": {"application": "vgg16", "weights": "imagenet"}}
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params))
        shutil.copy(ROOT / "dvc.yaml", self.folder)
        assert self.run("dvc", "init", "-q", "--no-scm").returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )

    def redone(self) -> set[str]:
        """The stages that `dvc repro` runs, but for those that it always does."""
        done = self.run("dvc", "repro")
        assert done.returncode == 0, done.stdout + done.stderr
        ran = {line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage '")}
        assert {stage.partition("@")[0] for stage in ran} >= set(ALWAYS)
        return {stage for stage in ran if not stage.startswith(ALWAYS)}

    def install(self, distribution: str) -> None:
        folder = self.site / f"{distribution}-999.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 999\n")

    def replace(self, module: str, old: str, new: str) -> None:
        file = self.site / "frostline" / module
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def change_dataset(self, **changes: object) -> None:
        params = yaml.safe_load((self.folder / "params.yaml").read_text())
        params["datasets"]["cells"] |= changes
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params))


def test_what_decides_a_result_redoes_its_stages_and_nothing_else(tmp_path: Path) -> None:
    project = Project(tmp_path)
    everything = PICTURES | networks("filed") | networks("named")
    assert project.redone() == everything

    os.utime(project.weights)
    project.replace("training/fit.py", '"""', '"""Another line.\n')
    project.install("mlflow")
    assert project.redone() == set()

    project.change_dataset(views=["identity", "crops-3"])
    trained = {f"{stage}@cells-small-{name}" for stage in ("train", "evaluate") for name in ("filed", "named")}
    assert project.redone() == trained | {"labels@cells", "report"}

    (project.folder / "images").rename(project.folder / "pictures")
    project.change_dataset(path="pictures")
    assert project.redone() >= {"prepare@cells"}

    project.weights.write_bytes(b"\x89HDF\r\n\x1a\nWEIGHTS")  # as many bytes
    project.install("pillow")  # which decodes the same pixels
    assert project.redone() == PICTURES | networks("filed")

    project.install("keras")
    assert project.redone() == networks("filed") | networks("named")

    project.replace("provenance.py", "DECODER_VERSION = 2", "DECODER_VERSION = 3")
    assert project.redone() == everything

    project.replace("__init__.py", "0.1.0", "0.1.1")
    assert project.redone() == {"prepare@cells"} | networks("filed") | networks("named")

    project.weights.unlink()
    gone = project.run("frostline", "weigh", "filed")
    assert gone.returncode == 1
    assert f"Error: The weights file {project.weights} (backbones.filed.weights in params.yaml)" in gone.stderr
    assert "Traceback" not in gone.stderr


@pytest.mark.parametrize("command", [("scan", "solar_cells"), ("weigh", "vgg16")])
def test_stages_that_always_run_import_no_network(tmp_path: Path, command: tuple[str, str]) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    script = "import sys, frostline.cli as cli\ntry: cli.main()\nfinally: print(*sys.modules)"
    program = [sys.executable, "-c", script, *command]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not {"keras", "tensorflow", "mlflow", "pandas"} & set(done.stdout.split())
