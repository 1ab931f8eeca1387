import base64
import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from frostline.data.images import load_square
from frostline.errors import RegistryError, VersionError
from frostline.provenance import Version
from frostline.records.train_record import write_training_images
from frostline.registry import package
from frostline.registry.models import (
    RegisteredVersion,
    _load,
    batches,
    find_challenger,
    load_champion,
    predict,
    register_challenger,
)
from frostline.registry.package import Candidate
from frostline.registry.versions import fetch
from frostline.tracking.runs import Tracker


@pytest.fixture
def register(stores, tmp_path, limits, make_network, make_record, monkeypatch):
    """Register the network of a seed for a data set of its own, so that tests share one store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def call(dataset: str, seed: int):
        tracker = Tracker.open(stores, dataset)
        folder = tmp_path / f"{dataset}-{seed}"
        model = make_network(folder, seed)
        study = tracker.start("study", {})
        record = make_record(model, study.id, dataset=dataset)
        return tracker, record, folder, register_challenger(tracker, Candidate(record, folder, limits))

    return call


def aliases(tracker: Tracker, dataset: str) -> dict[str, str]:
    found = tracker.client.get_registered_model(f"frostline-{dataset}").aliases
    return {alias: str(version) for alias, version in found.items()}


def crown(tracker: Tracker, dataset: str) -> None:
    """Make the challenger champion without asking whether it is better."""
    tracker.client.set_registered_model_alias(
        f"frostline-{dataset}", "champion", aliases(tracker, dataset)["challenger"]
    )


def test_a_model_is_loaded_from_a_folder_whose_name_an_address_would_quote(register, tmp_path):
    tracker, _, _, _ = register("quoted", 1)
    folder = fetch(tracker.client, tracker.client.get_model_version("frostline-quoted", "1"))
    odd = tmp_path / "a%20b%2Fc?d#e 100%" / folder.name
    shutil.copytree(folder, odd)
    assert _load(odd).metadata.get_input_schema().input_names() == ["image"]


def test_a_model_is_registered_once(register, limits):
    tracker, record, folder, first = register("once", 1)
    again = register_challenger(tracker, Candidate(record, folder, limits))
    assert (first.name, first.version, first.created) == ("frostline-once", "1", True)
    assert (again.version, again.created) == ("1", False)
    assert len(tracker.client.search_model_versions("name = 'frostline-once'")) == 1
    assert aliases(tracker, "once") == {"challenger": "1"}


def test_mlflow_says_nothing_of_how_it_checks_a_model(register, capfd):
    register("quiet", 1)
    assert " INFO mlflow" not in capfd.readouterr().err


def test_a_version_says_what_it_is_and_hangs_on_its_study(register):
    tracker, record, _, version = register("said", 1)
    stored = tracker.client.get_model_version(version.name, version.version)
    assert stored.run_id == record.run_id
    assert stored.description == (
        "vgg16 for said-small: start_of_convnet, keep 4, freeze 4; the head reads blocks 3, 4, under 2 views; "
        "balanced accuracy 0.8 [0.7, 0.9] in validation (5-fold)."
    )
    assert stored.tags["strategy"] == "start_of_convnet"
    assert stored.tags["freeze_depth"] == "4"
    assert stored.tags["data_fingerprint"] == record.fingerprints.data
    (output,) = tracker.client.get_run(record.run_id).outputs.model_outputs
    logged = tracker.client.get_logged_model(output.model_id)
    assert logged.status == "READY"
    assert set(logged.params) == {"trial", "epochs", "temperature", *record.best.params()}
    assert logged.params["freeze_depth"] == "4"
    assert json.loads(logged.tags["mlflow.modelVersions"])[0]["name"] == version.name


def test_a_changed_model_is_the_next_challenger_and_leaves_the_champion(register):
    tracker, *_ = register("changed", 1)
    crown(tracker, "changed")
    _, _, _, second = register("changed", 2)
    assert (second.version, second.created) == ("2", True)
    assert aliases(tracker, "changed") == {"challenger": "2", "champion": "1"}


def test_an_earlier_model_can_be_challenger_again(register):
    register("again", 1)
    register("again", 2)
    tracker, _, _, third = register("again", 1)
    assert (third.version, third.created) == ("1", False)
    assert aliases(tracker, "again") == {"challenger": "1"}


def test_what_is_not_registered_is_named_with_what_is(register):
    tracker, *_ = register("known", 1)
    with pytest.raises(RegistryError, match=r"No model is registered for the data set 'cats' .*frostline-known"):
        load_champion(tracker, "cats")
    with pytest.raises(RegistryError, match="frostline-known has no champion yet: run `frostline promote known` first"):
        load_champion(tracker, "known")


def test_the_champion_answers_as_the_network_does(register, cells, limits):
    import keras

    tracker, record, folder, _ = register("served", 3)
    crown(tracker, "served")
    answer = predict(load_champion(tracker, "served").model, cells)

    size, bounds = record.image_size, {"min_side": limits.min_side, "max_pixels": limits.max_pixels}
    squares = np.stack([load_square(path, size, record.resize, **bounds) for path in cells])
    expected = keras.saving.load_model(folder / "model.keras").predict(squares, verbose=0)
    columns = [f"probability_{name}" for name in record.classes]
    assert answer["image"].tolist() == [str(path) for path in cells]
    np.testing.assert_allclose(answer[columns].to_numpy(), expected, atol=1e-6)
    assert answer["label"].tolist() == [record.classes[row.argmax()] for row in expected]
    np.testing.assert_allclose(answer["probability"], expected.max(axis=1), atol=1e-6)
    assert set(answer["error"]) == {""}


def test_a_bad_picture_is_a_row_with_its_reason(register, cells, tmp_path):
    tracker, *_ = register("bad", 1)
    crown(tracker, "bad")
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(cells[0].read_bytes()[:2000])
    answer = predict(
        load_champion(tracker, "bad").model, [cells[0], text, tmp_path / "absent.png", truncated, cells[1]]
    )
    reasons = [error.partition(":")[0] for error in answer["error"]]
    assert reasons == ["", "unreadable", "missing", "truncated", ""]
    assert [bool(label) for label in answer["label"]] == [True, False, False, False, True]
    assert answer["probability"].isna().tolist() == [False, True, True, True, False]


def test_files_are_read_by_as_many_bytes_as_by_number(tmp_path):
    def file(number: int, size: int) -> Path:
        path = tmp_path / str(number)
        with path.open("wb") as stream:
            stream.truncate(size)
        return path

    sizes = [1] * 40 + [200_000_000, 100_000_000, 900_000_000, 5, 5]
    paths = [file(number, size) for number, size in enumerate(sizes)]
    paths.insert(42, tmp_path / "missing")
    parts = list(batches(paths))
    assert [len(part) for part in parts] == [32, 9, 2, 1, 2]
    assert [path for part in parts for path in part] == paths
    assert list(batches([])) == []


def test_json_requests_carry_pictures_in_base64(register, cells):
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    tracker, *_ = register("json", 1)
    crown(tracker, "json")
    model = load_champion(tracker, "json").model
    content = cells[0].read_bytes()
    rows = {"dataframe_records": [{"image": base64.b64encode(content).decode()}]}
    parsed = infer_and_parse_data(rows, model.metadata.get_input_schema())
    pd.testing.assert_frame_equal(model.predict(parsed), model.predict(pd.DataFrame({"image": [content]})))


def test_a_registered_model_loads_from_any_folder_with_its_own_code_and_requirements(register, cells, tmp_path):
    tracker, _, _, version = register("moved", 1)
    source = Path(tracker.client.get_model_version_download_uri(version.name, version.version).removeprefix("file://"))
    moved = tmp_path / "moved"
    shutil.copytree(source, moved)
    requirements = (moved / "requirements.txt").read_text().split()
    assert {line.partition("==")[0] for line in requirements} >= {"mlflow", "keras", "numpy", "pandas", "pillow"}
    assert not list(moved.rglob("*.pkl"))

    script = f"""
import sys
from functools import partial
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {{"dvc", "elpv_dataset", "imagehash", "optuna", "typer"}}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
import mlflow.pyfunc, pandas
model = mlflow.pyfunc.load_model({str(moved)!r})
answer = model.predict(pandas.DataFrame({{"image": [open({str(cells[0])!r}, "rb").read()]}}))
import frostline
print(frostline.__file__, answer["label"][0])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    file, label = done.stdout.split()[-2:]
    assert Path(file).is_relative_to(moved)
    assert label in {"defective", "functional"}


@pytest.mark.parametrize(
    ("changes", "bounds"),
    [
        ({"classes": ("broken", "whole")}, {}),
        ({"resize": "crop"}, {}),
        ({}, {"min_side": 8}),
        ({}, {"max_pixels": 10**5}),
    ],
)
def test_the_same_network_that_is_served_otherwise_is_another_version(register, limits, changes, bounds):
    dataset = "otherwise_" + "_".join([*changes, *bounds])
    tracker, record, folder, _ = register(dataset, 1)
    other, narrower = record.model_copy(update=changes), limits.model_copy(update=bounds)
    candidate = Candidate(other, folder, narrower)
    assert find_challenger(tracker, candidate) is None
    second = register_challenger(tracker, candidate)
    assert (second.version, second.created) == ("2", True)
    assert find_challenger(tracker, candidate) == RegisteredVersion(second.name, "2", created=False)
    crown(tracker, dataset)
    served = load_champion(tracker, dataset).model_config
    assert tuple(served["classes"]) == other.classes
    assert (served["resize"], served["min_side"], served["max_pixels"]) == (
        other.resize,
        narrower.min_side,
        narrower.max_pixels,
    )
    assert register_challenger(tracker, Candidate(record, folder, limits)).version == "1"


def test_another_decoder_or_other_training_images_make_another_version(register, limits, monkeypatch):
    tracker, record, folder, _ = register("decoder", 1)
    write_training_images(folder, ["a" * 64])
    assert register_challenger(tracker, Candidate(record, folder, limits)).version == "2"
    monkeypatch.setattr(package, "Version", partial(Version, decoder=Version.decoder + 1))
    assert register_challenger(tracker, Candidate(record, folder, limits)).version == "3"


@pytest.mark.parametrize("damage", ["gone", "another network", "one file more", "one linked folder more"])
def test_files_that_are_not_what_was_registered_are_refused_and_registered_anew(register, make_network, limits, damage):
    dataset = "damaged_" + damage.replace(" ", "_")
    tracker, record, folder, version = register(dataset, 1)
    crown(tracker, dataset)
    champion = load_champion(tracker, dataset)
    if damage == "gone":
        shutil.rmtree(champion.folder)
    elif damage == "another network":
        make_network(folder.parent / "another", 2)
        shutil.copy(folder.parent / "another" / "model.keras", champion.network)
    elif damage == "one file more":
        (champion.folder / "code" / "sitecustomize.py").write_text("")
    else:
        (folder.parent / "numpy").mkdir()
        (champion.folder / "code" / "numpy").symlink_to(folder.parent / "numpy")
    with pytest.raises(
        VersionError, match=rf"{version.name} version 1 cannot be loaded: .*{champion.folder}.*dvc repro"
    ):
        load_champion(tracker, dataset)
    candidate = Candidate(record, folder, limits)
    assert find_challenger(tracker, candidate) is None
    assert register_challenger(tracker, candidate) == RegisteredVersion(version.name, "2", created=True)
    crown(tracker, dataset)
    assert load_champion(tracker, dataset).number == "2"


def test_byte_code_that_python_adds_is_no_damage(register):
    tracker, *_ = register("byte_code", 1)
    crown(tracker, "byte_code")
    cache = load_champion(tracker, "byte_code").folder / "code" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "x.cpython-311.pyc").write_bytes(b"")
    assert load_champion(tracker, "byte_code").number == "1"
