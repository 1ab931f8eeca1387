"""The stages `evaluate` and `register` on real pictures, with small networks in place of trained ones."""

import hashlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from frostline.data.manifest import Prepared, write_prepared
from frostline.data.packed import Form, read_packed, write_packed
from frostline.errors import ArtifactError, DataError, RegistryError
from frostline.records.familiarity import Familiarity
from frostline.registry.versions import fetch
from frostline.stages import evaluate, register

PARAMS = Path(__file__).parents[2] / "params.yaml"
SIZES = {"small": 50, "large": 400}
NO_TRIAL = {"strategy": None, "trial": None, "complete": False, "validation": None}


@pytest.fixture
def project(tmp_path, monkeypatch, stores, cells, limits) -> Path:
    """The current folder, with packed pictures, every third of them in the test split."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    params = yaml.safe_load(PARAMS.read_text())
    params["backbones"]["resnet50"] = {"image_size": 32}
    params["stores"]["tracking"] = stores.tracking
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    rows = [
        {
            "image": path.name,
            "label": "defective" if position % 2 else "functional",
            "split": "test" if position % 3 == 0 else "train",
            "group": path.stem,
            "width": 300,
            "height": 300,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for position, path in enumerate(cells)
    ]
    write_prepared(tmp_path / "data" / "prepared" / "solar_cells", prepared(pd.DataFrame(rows)))
    for backbone in ("vgg16", "resnet50"):
        folder = tmp_path / "data" / "packed" / f"solar_cells-{backbone}"
        write_packed(folder, pd.DataFrame(rows), cells[0].parent, Form(32, "stretch"), limits)
    return tmp_path


def prepared(manifest: pd.DataFrame) -> Prepared:
    """What `prepare` writes of it."""
    quarantine = pd.DataFrame({"image": ["odd.png"], "reason": ["label_conflict"], "detail": ["two labels"]})
    card = {
        "images": len(manifest),
        "classes": {label: dict(rows["split"].value_counts()) for label, rows in manifest.groupby("label")},
        "quarantined": {"label_conflict": 1},
        "duplicates": 0,
        "groups": {"count": 0, "images": 0, "largest": 1},
        "corrected": {"relabelled": 0, "confirmed": 0, "left_out": 0, "unused": 0},
    }
    corrected = pd.DataFrame(columns=["image", "given", "label"])
    return Prepared(manifest, quarantine, corrected, json.loads(json.dumps(card, default=int)))


@pytest.fixture
def trained(project, tracker, make_network, make_record):
    """Put a network and its record where the stage `train` puts them."""

    def train(size: str, backbone: str, score: float, seed: int, run_id: str | None = None, guided: int | None = None):
        folder = project / "models" / f"solar_cells-{size}-{backbone}"
        study = run_id or tracker.start(folder.name, {}).id
        record = make_record(
            make_network(folder, seed),
            study,
            size=size,
            per_class=SIZES[size],
            images=2 * SIZES[size],
            backbone=backbone,
            score=score,
            data=read_packed(project / "data" / "packed" / f"solar_cells-{backbone}").fingerprint,
            **({} if guided else {"guide": {"regime": "small-unclear", "recommended": ("fine_tune",)} | NO_TRIAL}),
        )
        record.write(folder)
        trial = {"state": "complete", "strategy": "start_of_convnet", "thaw": 0, "images": 0.0}
        trials = [
            trial | {"trial": 1, "validation_brier_score": 0.2},
            trial | {"trial": 3, "validation_brier_score": 0.1},
        ]
        (folder / "study.json").write_text(json.dumps(trials))
        if guided:
            make_network(folder / "guide", guided)
            (folder / "guide" / "model.keras").rename(folder / "guide.keras")
        return record

    return train


def test_evaluate_compares_the_winner_with_the_guides_network_on_the_same_images(project, trained, tracker):
    record = trained("small", "vgg16", 0.8, 1, guided=2)
    evaluate.run("solar_cells", "small", "vgg16")
    metrics = json.loads((project / "results/evaluation/solar_cells-small-vgg16/metrics.json").read_text())
    guide = metrics["guide"]
    assert guide["difference"] == pytest.approx(metrics["balanced_accuracy"] - guide["balanced_accuracy"])
    assert guide["difference_low"] <= guide["difference"] <= guide["difference_high"]
    assert tracker.client.get_run(record.run_id).data.metrics["test_guide_difference"] == guide["difference"]


def test_evaluate_says_nothing_of_a_guide_whose_trials_failed(project, trained):
    trained("small", "vgg16", 0.8, 1)
    evaluate.run("solar_cells", "small", "vgg16")
    metrics = json.loads((project / "results/evaluation/solar_cells-small-vgg16/metrics.json").read_text())
    assert "guide" not in metrics


def test_evaluate_scores_the_test_split_only_and_tells_mlflow(project, trained, tracker):
    import keras

    record = trained("small", "vgg16", 0.8, 1)
    evaluate.run("solar_cells", "small", "vgg16")
    folder = project / "results" / "evaluation" / "solar_cells-small-vgg16"
    files = {path.name for path in folder.iterdir()}
    pictures = {"confusion.png", "thresholds.png", "reliability.png", "mistakes.png", "gradcam.png"}
    assert files == {"metrics.json", "evidence.json", "predictions.csv"} | pictures

    packed = read_packed(project / "data" / "packed" / "solar_cells-vgg16")
    test = np.flatnonzero(packed.index["split"] == "test")
    network = keras.saving.load_model(project / "models" / record.name / "model.keras")
    expected = network.predict(packed.images[test], verbose=0)
    predictions = pd.read_csv(folder / "predictions.csv")
    assert predictions["image"].tolist() == packed.index["image"].iloc[test].tolist()
    assert predictions["actual"].tolist() == packed.index["label"].iloc[test].tolist()
    assert predictions["predicted"].tolist() == [packed.classes[row.argmax()] for row in expected]
    np.testing.assert_allclose(predictions[[f"probability_{name}" for name in packed.classes]], expected, atol=1e-6)

    metrics, evidence = (json.loads((folder / f"{name}.json").read_text()) for name in ("metrics", "evidence"))
    assert metrics["accuracy"] == pytest.approx((predictions["actual"] == predictions["predicted"]).mean())
    assert metrics["validation_balanced_accuracy"] == 0.8
    assert metrics["images"] == len(test)

    (run,) = tracker.client.search_runs(
        [tracker.experiment_id], f"tags.`frostline.study_run` = '{record.run_id}' and attributes.status = 'FINISHED'"
    )
    study = tracker.client.get_run(record.run_id)
    assert run.info.run_name == "evaluate solar_cells-small-vgg16"
    assert run.data.metrics["test_balanced_accuracy"] == pytest.approx(metrics["balanced_accuracy"])
    assert run.data.metrics["test_recall/defective"] == pytest.approx(evidence["per_class"]["defective"]["recall"])
    assert run.data.params["freeze_depth"] == "4"
    assert run.inputs.dataset_inputs[0].tags[0].value == "test"
    assert study.data.metrics["test_balanced_accuracy"] == pytest.approx(metrics["balanced_accuracy"])
    artifacts = {file.path for file in tracker.client.list_artifacts(run.info.run_id)}
    assert artifacts == files | {"classes.json"}
    assert evidence["intervals"]["accuracy"]["low"] < metrics["accuracy"] < evidence["intervals"]["accuracy"]["high"]
    assert evidence["calibration"]["temperature"] == record.best.temperature
    assert evidence["serving"] is None  # the packed pictures of this project have no files


def test_evaluate_works_where_the_study_run_is_in_another_store(project, trained):
    trained("small", "vgg16", 0.8, 2, run_id="0" * 32)
    evaluate.run("solar_cells", "small", "vgg16")
    assert (project / "results" / "evaluation" / "solar_cells-small-vgg16" / "metrics.json").exists()


def test_evaluate_refuses_a_network_of_other_data(project, trained):
    record = trained("small", "vgg16", 0.8, 3)
    other = record.model_copy(update={"fingerprints": record.fingerprints.model_copy(update={"data": "other"})})
    other.write(project / "models" / record.name)
    with pytest.raises(ArtifactError, match="models/solar_cells-small-vgg16 was trained on other data"):
        evaluate.run("solar_cells", "small", "vgg16")


def test_evaluate_needs_test_images(project, trained):
    trained("small", "vgg16", 0.8, 4)
    index = project / "data" / "packed" / "solar_cells-vgg16" / "index.csv"
    index.write_text(index.read_text().replace(",test,", ",train,"))
    with pytest.raises(DataError, match="solar_cells has no test images"):
        evaluate.run("solar_cells", "small", "vgg16")


def test_register_takes_the_best_validated_model_of_the_largest_size(project, trained, tracker):
    winner = trained("large", "vgg16", 0.82, 12)
    for record in (
        winner,
        trained("small", "vgg16", 0.99, 11),  # smaller, so its score does not compare
        trained("large", "resnet50", 0.81, 13),
    ):
        evaluate.run("solar_cells", record.size, record.backbone)
    # Test scores say otherwise: they must not matter.
    worse = project / "results" / "evaluation" / winner.name / "metrics.json"
    worse.write_text(json.dumps(json.loads(worse.read_text()) | {"balanced_accuracy": 0.0}))

    register.run("solar_cells")

    summary = json.loads((project / "results" / "registered" / "solar_cells.json").read_text())
    assert summary["challenger"] == "solar_cells-large-vgg16"
    version = tracker.client.get_model_version_by_alias("frostline-solar_cells", "challenger")
    assert (summary["name"], summary["version"]) == (version.name, str(version.version))
    assert version.run_id == winner.run_id

    card = (fetch(tracker.client, version) / "MODEL_CARD.md").read_text()
    assert card.startswith("# Model card: solar_cells-large, vgg16\n")
    assert "Files under several labels, all of which are left out: 1." in card
    assert version.description.startswith("vgg16 for solar_cells-large: start_of_convnet")
    assert card[:1000] in version.description
    assert len(version.description) <= 5000
    (run,) = tracker.client.search_runs([tracker.experiment_id], "attributes.run_name = 'register'")
    assert "MODEL_CARD.md" in {file.path for file in tracker.client.list_artifacts(run.info.run_id)}

    runs = len(tracker.client.search_runs([tracker.experiment_id]))
    register.run("solar_cells")
    assert json.loads((project / "results" / "registered" / "solar_cells.json").read_text()) == summary
    assert len(tracker.client.search_runs([tracker.experiment_id])) == runs  # what changes nothing logs nothing


def test_register_leaves_out_what_was_not_evaluated(project, trained):
    trained("large", "vgg16", 0.9, 21)
    trained("small", "vgg16", 0.7, 22)
    evaluate.run("solar_cells", "small", "vgg16")
    register.run("solar_cells")
    summary = json.loads((project / "results" / "registered" / "solar_cells.json").read_text())
    assert summary["challenger"] == "solar_cells-small-vgg16"


def test_register_logs_the_model_on_its_own_run_where_the_study_is_in_another_store(trained, tracker):
    trained("small", "vgg16", 0.8, 31, run_id="0" * 32)
    evaluate.run("solar_cells", "small", "vgg16")
    register.run("solar_cells")
    client = tracker.client
    version = client.get_model_version_by_alias("frostline-solar_cells", "challenger")
    assert client.get_run(version.run_id).info.run_name == "register"


@pytest.mark.usefixtures("project")
def test_register_needs_an_evaluated_model():
    with pytest.raises(RegistryError, match="No model of the data set 'solar_cells' has been trained and evaluated"):
        register.run("solar_cells")


def test_a_network_that_is_not_its_records_is_not_registered(project, trained, make_network):
    record = trained("small", "vgg16", 0.8, 71)
    evaluate.run("solar_cells", "small", "vgg16")
    model, registered = project / "models" / record.name / "model.keras", project / "results/registered"
    right = model.read_bytes()
    make_network(project / "other", 72)
    model.write_bytes((project / "other" / "model.keras").read_bytes())
    with pytest.raises(ArtifactError, match=r"model\.keras is not the network that .*train\.json describes"):
        register.run("solar_cells")
    model.write_bytes(right[:1000])
    with pytest.raises(ArtifactError, match=r"model\.keras is damaged.*dvc repro --force train"):
        register.run("solar_cells")
    model.write_bytes(right)
    familiarity = Familiarity.read(model.parent)
    replace(familiarity, layer="block4_pool").write(model.parent)
    for stage in (partial(evaluate.run, "solar_cells", "small", "vgg16"), partial(register.run, "solar_cells")):
        with pytest.raises(ArtifactError, match=r"familiar\.npz is of another network: .* after a layer block4_pool"):
            stage()
    assert not registered.exists()
    familiarity.write(model.parent)
    register.run("solar_cells")
    assert json.loads((registered / "solar_cells.json").read_text())["model_fingerprint"] == record.fingerprints.model


def test_a_model_without_its_training_images_is_not_registered(project, trained):
    record = trained("small", "vgg16", 0.8, 73)
    evaluate.run("solar_cells", "small", "vgg16")
    (project / "models" / record.name / "training_images.txt").unlink()
    with pytest.raises(ArtifactError, match=r"training_images\.txt does not exist"):
        register.run("solar_cells")
    assert not (project / "results/registered").exists()
