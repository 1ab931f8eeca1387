"""Registry and workspace kept together, with real DVC: experiments, in the workspace and in DVC's copies of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from frostline.backbones.weights import digest
from frostline.data.manifest import Prepared, write_prepared

ROOT = Path(__file__).parents[2]
NAME = "cells-small-vgg16"
METRICS = {"images": 2, "balanced_accuracy": 0.75, "calibration_error": 0.04, "megabytes": 1}
EVIDENCE = {"intervals": {}, "calibration": {"error_before": 0.1}, "slices": {}, "per_class": {}}
TRAIN = """
import json, shutil
from pathlib import Path
import yaml
from frostline.records.train_record import TrainRecord, write_training_images
record = json.loads(Path("record.json").read_text())
seed = yaml.safe_load(open("params.yaml"))["seed"]
record["fingerprints"]["model"] = json.loads(Path("digests.json").read_text())[seed]
folder = Path("models") / "cells-small-vgg16"
folder.mkdir(parents=True)
shutil.copy(f"{seed}.keras", folder / "model.keras")
trial = {"trial": 3, "strategy": "start_of_convnet", "state": "complete", "thaw": 0, "images": 0}
(folder / "study.json").write_text(json.dumps([trial | {"validation_brier_score": 0.1}]))
write_training_images(folder, [])
TrainRecord.model_validate(record).write(folder)
"""

PLAN = """
from frostline.config.load import load_config
from frostline.records.settings import write_settings
write_settings(load_config())
"""


@pytest.fixture
def project(tmp_path, record_fields) -> Path:
    """A project in a sub-folder of its repository, with a stage that leaves what `train` and `evaluate` leave."""
    folder = tmp_path / "repository" / "project"
    folder.mkdir(parents=True)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["seed"] = 1
    params["datasets"] = {"cells": {"source": "folder", "path": "images"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "record.json").write_text(json.dumps(record_fields | {"dataset": "cells"}))
    (folder / "digests.json").write_text(json.dumps([_network(folder / f"{seed}.keras", seed) for seed in range(3)]))
    (folder / "train.py").write_text(TRAIN)
    (folder / "plan.py").write_text(PLAN)
    (folder / ".gitignore").write_text("mlruns/\n.cache/\n")
    evaluation = folder / "results" / "evaluation" / NAME
    evaluation.mkdir(parents=True)
    labels = folder / "results" / "labels" / "cells"
    labels.mkdir(parents=True)
    (labels / "label_issues.csv").write_text("image\n")
    (evaluation / "metrics.json").write_text(json.dumps(METRICS))
    (evaluation / "evidence.json").write_text(json.dumps(EVIDENCE))
    (evaluation / "predictions.csv").write_text("image,group,actual,predicted,probability_dark,probability_light\n")
    _prepare(folder / "data/prepared/cells")
    register = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["register"]
    train = {"cmd": "python train.py", "params": ["seed"], "deps": ["record.json"], "outs": [f"models/{NAME}"]}
    plan = {"cmd": "python plan.py", "always_changed": True, "outs": [{"data/settings.yaml": {"cache": False}}]}
    stages = {"plan": plan, "train": train, "register": register}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    subprocess.run(["git", "init", "-q", folder.parent], check=True)
    run(folder.parent, "dvc", "init", "-q")
    commit(folder)
    return folder


def _prepare(folder: Path) -> None:
    """Leave what `prepare` leaves of two images."""
    rows = [
        {
            "image": f"{n}.png",
            "label": label,
            "split": "test",
            "group": str(n),
            "width": 30,
            "height": 30,
            "sha256": str(n),
        }
        for n, label in enumerate(("defective", "functional"))
    ]
    counts = {"relabelled": 0, "confirmed": 0, "left_out": 0, "unused": 0}
    card = {"images": 2, "classes": {}, "quarantined": {}, "duplicates": 0, "corrected": counts}
    card |= {"groups": {"count": 0, "images": 0, "largest": 1}}
    nothing = pd.DataFrame(columns=["image"])
    write_prepared(folder, Prepared(pd.DataFrame(rows), nothing, nothing, card))


def _network(file: Path, seed: int) -> str:
    """Save a network of one weight, the seed, and give its fingerprint."""
    import keras

    inputs = keras.Input((1,))
    network = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(seed))(inputs))
    network.save(file)
    return digest(network)


def run(folder: Path, *command: str) -> str:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=folder, env=mine | {"PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def commit(folder: Path) -> None:
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "state")


def challenger(project: Path) -> tuple[str, str, int]:
    """The challenger's version and model, by the registry, once the result file is seen to agree; all versions."""
    client = MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    version = client.get_model_version_by_alias("frostline-cells", "challenger")
    count = len(client.search_model_versions("name = 'frostline-cells'"))
    return str(version.version), version.tags["model_fingerprint"], count


def registered(project: Path) -> tuple[str, str]:
    summary = json.loads((project / "results/registered/cells.json").read_text())
    return summary["version"], summary["model_fingerprint"]


def test_the_challenger_is_the_workspaces_model_whatever_experiments_ran(project):
    _, first, second = json.loads((project / "digests.json").read_text())
    run(project, "dvc", "repro")
    assert challenger(project) == ("1", first, 1)
    commit(project)

    run(project, "dvc", "exp", "run", "--temp", "-n", "other", "-S", "seed=2")
    assert challenger(project) == ("2", second, 2)  # in the project's store
    assert registered(project) == ("1", first)

    said = run(project, "dvc", "repro")
    assert "version 1 (cells-small-vgg16) is now the challenger" in said
    assert challenger(project) == ("1", first, 2)

    run(project, "dvc", "exp", "apply", "other")
    assert registered(project) == ("2", second)
    run(project, "dvc", "repro")
    assert challenger(project) == ("2", second, 2)
    assert registered(project) == ("2", second)

    run(project, "git", "reset", "-q", "--hard")
    run(project, "dvc", "checkout", "-q")
    run(project, "dvc", "repro")
    assert challenger(project) == ("1", first, 2)
    assert not list(project.parent.glob(".dvc/tmp/exps/**/mlruns"))
