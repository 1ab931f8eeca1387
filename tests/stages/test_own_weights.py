"""GoogLeNet's and ResNet's rows with weights from files, from photographs to served labels.

The weights are trained here, on other photographs of the same kinds, as somebody would bring them: a whole classifier
around the base in one file, and a legacy file of a network with its top in the other.
"""

import json
from contextlib import chdir
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from keras import layers
from mlflow import MlflowClient
from small_project import PROBABILITIES, change, frostline, make_project, predicted_as_evaluated, run_stages

from frostline.backbones.weights import digest
from frostline.config.schema import StoresConfig
from frostline.data.images import load_square
from servers import served

SIDES = {"resnet50": 48, "inceptionv3": 75}
TO_LEARN_FROM, TO_ASK = 48, 40  # photographs of each kind


@pytest.fixture(scope="module")
def photographs(shared_data: Path) -> list[Path]:
    """Cats and dogs in turn."""
    cats, dogs = (sorted((shared_data / "dogs_cats" / kind).glob("*.jpg")) for kind in ("cat", "dog"))
    return [file for pair in zip(cats[: TO_LEARN_FROM + TO_ASK], dogs, strict=False) for file in pair]


def squares(files: list[Path], side: int) -> np.ndarray:
    return np.stack([load_square(file, side, "stretch", min_side=16, max_pixels=10**7) for file in files])


def teach(network: keras.Model, images: np.ndarray, epochs: int) -> None:
    keras.utils.set_random_seed(20)
    network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    network.fit(images, np.arange(len(images)) % 2, batch_size=32, epochs=epochs, verbose=0)


def resnet_with_its_top(images: np.ndarray, path: Path) -> str:
    """A legacy file of the application, as Keras publishes them; the digest of the base."""
    keras.utils.set_random_seed(1)
    shape = images.shape[1:]
    network = keras.applications.ResNet50(weights=None, classes=2, input_shape=shape)
    teach(network, keras.applications.resnet50.preprocess_input(images.astype("float32")), epochs=2)
    network.save(path)
    base = keras.applications.ResNet50(weights=None, include_top=False, input_shape=shape)
    base.set_weights(network.get_weights()[: len(base.weights)])
    return digest(base)


def inception_in_a_classifier(images: np.ndarray, path: Path) -> str:
    """A Sequential around the base, as keras.io shows it; the digest of the base."""
    keras.utils.set_random_seed(1)
    base = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=images.shape[1:])
    scaled = layers.Rescaling(1 / 127.5, offset=-1)
    network = keras.Sequential([scaled, base, layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax")])
    teach(network, images, epochs=2)
    network.save(path)
    return digest(base)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, photographs: list[Path]) -> tuple[Path, dict[str, str]]:
    """A project of which all stages have run, and the digests of the weights that were saved for it."""
    folder = tmp_path_factory.mktemp("own weights")
    learned, asked = photographs[: 2 * TO_LEARN_FROM], photographs[2 * TO_LEARN_FROM :]
    make_project(folder, asked)
    files = {"resnet50": "resnet50_tf_kernels.h5", "inceptionv3": "whole.keras"}
    digests = {
        "resnet50": resnet_with_its_top(squares(learned, SIDES["resnet50"]), folder / files["resnet50"]),
        "inceptionv3": inception_in_a_classifier(squares(learned, SIDES["inceptionv3"]), folder / files["inceptionv3"]),
    }
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["backbones"] = {name: {"weights": files[name], "image_size": side} for name, side in SIDES.items()}
    params["datasets"]["cells"]["views"] = ["identity"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    change(
        folder,
        sizes={"small": 32},
        profile={"images": 60, "folds": 2},
        train={"epochs": 1, "folds": 2, "repeats": 1},
        search={"effort": {"heads": 2, "thawed": 1, "images": 40}, "views": ["identity"]},
        promotion={"floors": {}},
    )
    run_stages(folder, *SIDES)
    return folder, digests


@pytest.mark.parametrize("name", SIDES)
def test_the_weights_of_the_file_are_those_that_were_used_and_named(project, name: str) -> None:
    folder, digests = project
    record = json.loads((folder / f"models/cells-small-{name}/train.json").read_text())
    assert record["fingerprints"]["weights"] == digests[name]
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    (study,) = client.search_runs(
        [client.get_experiment_by_name("frostline-cells").experiment_id],
        f"tags.`frostline.study` LIKE '%' AND tags.backbone = '{name}'",
    )
    assert study.data.tags["weights_fingerprint"] == digests[name]
    assert study.data.tags["weights_source"].endswith((".h5", ".keras"))
    profile = json.loads((folder / f"results/profile/cells-{name}.json").read_text())
    assert "BatchNorm" in profile["reference"]
    assert profile["cells"]["small"]["blocks"]


@pytest.mark.parametrize("name", SIDES)
def test_held_out_photographs_were_answered_and_counted(project, name: str) -> None:
    """How many are right is not asked: so little training teaches no network cats from dogs."""
    folder, _ = project
    results = folder / f"results/evaluation/cells-small-{name}"
    answered = pd.read_csv(results / "predictions.csv")
    assert len(answered) == TO_ASK // 2
    assert set(answered["actual"]) == {"even", "odd"}
    right = (answered["actual"] == answered["predicted"]).groupby(answered["actual"]).mean().mean()
    metrics = json.loads((results / "metrics.json").read_text())
    assert metrics["balanced_accuracy"] == pytest.approx(right, abs=1e-4)


def test_served_labels_are_those_that_were_evaluated(project) -> None:
    folder, _ = project
    winner = json.loads((folder / "results/registered/cells.json").read_text())["challenger"]
    files, said = predicted_as_evaluated(folder, winner)
    with chdir(folder):
        answers = served(StoresConfig(), "cells", [Path(file) for file in files])
    np.testing.assert_allclose(answers[PROBABILITIES], said[PROBABILITIES], atol=1e-6)


def test_a_changed_file_is_other_weights(project) -> None:
    folder, _ = project
    noted = folder / "data/backbones/resnet50.json"
    before = json.loads(noted.read_text())
    with (folder / "resnet50_tf_kernels.h5").open("ab") as file:
        file.write(b"more")
    assert frostline(folder, "weigh", "resnet50").returncode == 0
    after = json.loads(noted.read_text())
    assert before.pop("weights") != after.pop("weights")
    assert before == after
