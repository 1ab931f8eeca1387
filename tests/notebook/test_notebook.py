"""frostline in Python, from another folder than the project's, as a notebook runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import frostline
from frostline.config.load import load_config
from frostline.errors import ArtifactError, ConfigError, DataError, RegistryError
from frostline.records.train_record import TrainRecord

PARAMS = Path(__file__).parents[2] / "params.yaml"
METRICS = {"balanced_accuracy": 0.75, "accuracy": 0.8}
EVIDENCE = {"intervals": {"balanced_accuracy": {"low": 0.7, "high": 0.8}}, "calibration": {}, "slices": {}}
TRIALS = [{"trial": 1, "strategy": "end_of_convnet", "value": 0.7}, {"trial": 2, "strategy": "fine_tune", "value": 0.8}]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, cells: list[Path], crown, record_fields) -> Path:
    """A project with one champion, and one cell that was trained and evaluated."""
    folder = tmp_path_factory.mktemp("mein Projekt")
    params = yaml.safe_load(PARAMS.read_text())
    params["datasets"]["cells"] = {"source": "folder", "path": "photos"}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        crown(load_config().stores, folder / "network", "cells")
    for number, cell in enumerate(cells[:20]):
        place = folder / "photos" / ("odd" if number % 2 else "even")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(cell, place)
    (folder / "photos/odd/bad.png").write_text("no picture")
    record = TrainRecord.model_validate(record_fields)
    evaluation = folder / "results/evaluation" / record.name
    for place in (folder / "models" / record.name, evaluation):
        place.mkdir(parents=True)
    record.write(folder / "models" / record.name)
    (folder / "models" / record.name / "study.json").write_text(json.dumps(TRIALS))
    for name, numbers in (("metrics", METRICS), ("evidence", EVIDENCE)):
        (evaluation / f"{name}.json").write_text(json.dumps(numbers))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_champion_labels_files_and_folders(project: Path) -> None:
    champion = frostline.load_champion("cells", project=project)
    assert champion.name == "frostline-cells"
    assert champion.version == "1"
    answers = champion.predict([project / "photos", str(project / "photos/even")])
    assert len(answers) == 21 + 10
    bad = answers["error"] != ""
    assert answers.loc[bad, "image"].tolist() == [str(project / "photos/odd/bad.png")]
    good = answers[~bad]
    assert set(good["label"]) <= set(champion.classes)
    probabilities = good[[f"probability_{name}" for name in champion.classes]].to_numpy(float)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.array(champion.classes)[probabilities.argmax(axis=1)].tolist() == good["label"].tolist()
    assert champion.predict(project / "photos/even").equals(answers.iloc[21:].reset_index(drop=True))
    with pytest.raises(DataError, match="holds or matches no file"):
        champion.predict([project / "photos/*.none"])


def test_what_was_found_is_a_table(project: Path) -> None:
    found = frostline.studies(project)
    assert found.index.tolist() == ["solar_cells-small-vgg16"]
    row = found.loc["solar_cells-small-vgg16"]
    assert (row["test"], row["test_low"], row["test_high"]) == (0.75, 0.7, 0.8)
    trials = frostline.trials(found.index[0], project)
    assert trials["value"].to_dict() == {1: 0.7, 2: 0.8}


def test_advice_is_regime_evidence_and_picture(project: Path) -> None:
    advice = frostline.advise(project / "photos", image_size=48)
    assert advice.classes == {"even": 10, "odd": 10}
    assert advice.regime.startswith("small-")
    assert advice.shift is None or advice.shift["low"] <= advice.shift["value"] <= advice.shift["high"]
    assert advice.blocks["block"].tolist() == [1, 2, 3, 4, 5]
    assert len(advice.figure().axes) > 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda project: frostline.load_champion(project=project), ConfigError, "names several data sets"),
        (lambda project: frostline.load_champion("solar_cells", project=project), RegistryError, "solar_cells"),
        (lambda _: frostline.load_champion(), ConfigError, "params.yaml does not exist"),
        (
            lambda _: frostline.studies("absent"),
            ConfigError,
            r"folder absent does not exist .* `project`",
        ),
        (lambda project: frostline.trials("none", project), ArtifactError, "study.json does not exist"),
        (lambda _: frostline.advise("absent"), DataError, "absent is not a folder"),
    ],
)
def test_what_is_not_there_is_one_clear_error(project: Path, call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(project)


def test_importing_frostline_imports_nothing_heavy() -> None:
    script = "import sys, frostline; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"keras", "mlflow", "pandas", "numpy"} & set(loaded)
    with pytest.raises(AttributeError, match="module 'frostline' has no attribute 'advice'"):
        frostline.advice  # noqa: B018
