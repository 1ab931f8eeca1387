"""A repository with some real cells in two classes and parameters that ask for little, and commands run in it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import yaml

from frostline.cli import main

ROOT = Path(__file__).parents[2]
EFFORT = {"heads": 3, "thawed": 2, "images": 500}
TRIALS = EFFORT["heads"] + 1 + EFFORT["thawed"]  # with the ensemble
NAME = "cells-small-vgg16"
PROBABILITIES = ["probability_even", "probability_odd"]


def make_project(folder: Path, cells: Sequence[Path], **changes: Mapping[str, object]) -> None:
    """Make `folder` the repository, with one file that is no image; `changes` are made as `change` does."""
    for number, cell in enumerate(cells):
        place = folder / "images" / ("odd" if number % 2 else "even")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(cell, place)
    (folder / "images" / "odd" / "broken.png").write_text("not an image")
    shutil.copy(ROOT / "dvc.yaml", folder)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["datasets"] = {"cells": {"source": "folder", "path": "images", "views": ["identity", "crops-1"]}}
    params["sizes"] = {"small": 16}
    params["backbones"]["vgg16"]["image_size"] = 48
    params["train"] |= {"epochs": 4, "folds": 3}
    params["search"] |= {"effort": EFFORT, "views": ["mirror"]}
    params["promotion"]["floors"] = {"accuracy": 1.0}  # labels mean nothing here: nobody reaches it
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    change(folder, **changes)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for name, value in (("user.name", "ada"), ("user.email", "ada@example.org")):
        subprocess.run(["git", "config", name, value], cwd=folder, check=True)
    assert run(folder, "dvc", "init", "-q").returncode == 0


def change(project: Path, **sections: Mapping[str, object]) -> None:
    """Give keys of sections of params.yaml other values."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    for name, values in sections.items():
        params[name] |= values
    (project / "params.yaml").write_text(yaml.safe_dump(params))


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / arguments[0]), *arguments[1:]]


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=project, env=environment(), capture_output=True, text=True, check=False
    )


def frostline(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A frostline command in this process: TensorFlow, which takes seconds to import, is here already."""
    out, err = StringIO(), StringIO()
    with (
        chdir(project),
        patch.dict(os.environ, environment(), clear=True),
        patch.object(sys, "argv", ["frostline", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        main()
    return subprocess.CompletedProcess(arguments, end.value.code or 0, out.getvalue(), err.getvalue())


def run_stages(project: Path, *backbones: str) -> None:
    """All stages of the data set `cells` at the size `small`, then the promotion, in this process."""
    commands = [("scan", "cells"), ("prepare", "cells")]
    for name in backbones:
        commands += [("weigh", name), ("preprocess", "cells", name), ("profile", "cells", name)]
        commands += [("train", "cells", "small", name), ("evaluate", "cells", "small", name)]
    for words in (*commands, ("labels", "cells"), ("register", "cells"), ("report",), ("promote", "cells")):
        answer = frostline(project, *words)
        assert answer.returncode == 0, f"{words}: {answer.stderr}"


def predicted_as_evaluated(evaluated: Path, name: str, asked: Path | None = None) -> tuple[list[str], pd.DataFrame]:
    """The test images of the model `name`, and what `frostline predict` says of them, which must be the same.

    `evaluated` is the project in which it was evaluated, `asked` the one that is asked now.
    """
    answers = pd.read_csv(evaluated / f"results/evaluation/{name}/predictions.csv")
    files = [f"images/{image}" for image in answers["image"]]
    said = pd.read_csv(StringIO(frostline(asked or evaluated, "predict", *files, "--format", "csv").stdout))
    np.testing.assert_allclose(said[PROBABILITIES], answers[PROBABILITIES], atol=1e-3)
    assert said["label"].tolist() == answers["predicted"].tolist()
    return files, said


def environment() -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return mine | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
