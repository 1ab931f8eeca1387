import importlib.util
import json
import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from frostline.backbones.readout import compress
from frostline.backbones.surgery import build_backbone
from frostline.backbones.tapped import tap
from frostline.backbones.viewed import views_in
from frostline.backbones.weights import digest
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.data.images import load_square
from frostline.data.packed import PackedImages
from frostline.data.test_set import TestSet
from frostline.data.views import views_of
from frostline.errors import ConfigError, DataError, ExportError, PackageError
from frostline.evaluation.agreement import Agreement
from frostline.evaluation.answers import Answers
from frostline.records.familiarity import Familiarity
from frostline.records.train_record import write_training_images
from frostline.registry.models import load_champion, predict, register_challenger
from frostline.registry.package import Candidate
from frostline.serving.export import Material, export
from frostline.serving.forms.asking import open_export
from frostline.serving.forms.kind import LEAST_EQUAL, TOLERANCE, Kind
from frostline.serving.forms.litert_file import write_litert
from frostline.serving.forms.record import ExportRecord
from frostline.statistics.familiar import fit_familiar
from frostline.tracking.runs import Tracker
from frostline.training.ridge import LinearHead
from frostline.training.served import whole_network
from frostline.training.settings import TrialSettings

needs_litert = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None or keras.backend.backend() != "tensorflow",
    reason="ai-edge-litert is not installed, or Keras does not run on TensorFlow",
)
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "tf2onnx")),
    reason="onnx, onnxruntime or tf2onnx is not installed",
)


@pytest.fixture
def champion(stores, tmp_path, limits, make_network, make_record, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = tmp_path.name
    tracker = Tracker.open(stores, dataset)
    model = make_network(tmp_path / "model", 5)
    record = make_record(model, tracker.start("study", {}).id, dataset=dataset)
    version = register_challenger(tracker, Candidate(record, tmp_path / "model", limits))
    tracker.client.set_registered_model_alias(version.name, "champion", version.version)
    return load_champion(tracker, dataset)


@pytest.fixture
def material(cells):
    """Twenty cells to test on, each a group of its own, in two classes by turns, and as many to calibrate by."""
    return material_of(cells)


def material_of(files) -> Material:
    labels = np.arange(20) % 2
    names = np.array([file.name for file in files[:20]])
    test = TestSet(tuple(files[:20]), labels, names, tuple(names), ("defective", "functional"))
    return Material(test, files[20:], seed=1)


def test_a_keras_export_is_the_network_itself(champion, material, tmp_path):
    record = export(champion, tmp_path / "out.keras", Kind("keras"), material)
    exported, network = (keras.saving.load_model(file) for file in (tmp_path / "out.keras", champion.network))
    assert set(exported.output) == {"probabilities", "strangeness"}
    mine, theirs = (each.get_layer("head").get_weights() for each in (exported, network))
    for own, other in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(own, other)
    found = record.agreement
    assert (found.images, found.equal_labels, found.largest_difference) == (20, 1, 0)
    assert (found.loss.value, found.loss.low, found.loss.high) == (0, 0, 0)
    assert (found.equal_known, found.strangeness_difference) == (1, 0)
    assert found.balanced_accuracy == found.original_balanced_accuracy > 0


def test_what_an_export_is_lies_beside_it(champion, material, tmp_path):
    record = export(champion, tmp_path / "out.keras", Kind("keras"), material)
    assert ExportRecord.model_validate_json((tmp_path / "out.keras.json").read_text()) == record
    assert (record.model, record.version, record.form) == (champion.name, champion.number, "keras")
    assert record.megabytes == pytest.approx((tmp_path / "out.keras").stat().st_size / 1e6)
    assert (record.classes, record.image_size, record.resize) == (("defective", "functional"), 32, "stretch")


@needs_onnx
def test_an_onnx_export_answers_as_the_network_does(champion, material, cells, tmp_path):
    import onnxruntime

    path = tmp_path / "out.onnx"
    agreement = export(champion, path, Kind("onnx"), material).agreement
    assert agreement.largest_difference <= TOLERANCE
    assert agreement.strangeness_difference <= TOLERANCE
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    pixels = pixels_of(cells)
    probabilities, strangeness = session.run(["probabilities", "strangeness"], {given.name: pixels})
    np.testing.assert_allclose(probabilities, served(champion, pixels), atol=TOLERANCE)
    np.testing.assert_allclose(strangeness, predict(champion.model, cells)["strangeness"], atol=TOLERANCE)


@needs_litert
@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-5), ("float16", 2e-3), ("dynamic", 2e-2), ("int8", 0.1)]
)
def test_a_litert_export_answers_as_the_network_does(champion, material, cells, tmp_path, precision, tolerance):
    from ai_edge_litert.interpreter import Interpreter

    path = tmp_path / "out.tflite"
    record = export(champion, path, Kind("litert", precision), material, force=True)
    assert record.agreement.largest_difference <= tolerance
    asked = Interpreter(model_path=str(path)).get_signature_runner()
    ((name, given),) = asked.get_input_details().items()
    assert given["dtype"] == np.float32
    strangeness = predict(champion.model, cells[:4])["strangeness"]
    for pixels, *expected in zip(
        pixels_of(cells[:4]), served(champion, pixels_of(cells[:4])), strangeness, strict=True
    ):
        told = asked(**{name: pixels[None]})
        assert {each.dtype for each in told.values()} == {np.dtype(np.float32)}
        np.testing.assert_allclose(told["probabilities"][0], expected[0], atol=tolerance)
        np.testing.assert_allclose(told["strangeness"][0], expected[1], atol=tolerance)


@needs_litert
def test_int8_asks_for_training_images(champion, material, tmp_path):
    with pytest.raises(ExportError, match=r"int8 export needs training images.* --precision dynamic"):
        export(champion, tmp_path / "out.tflite", Kind("litert", "int8"), Material(material.test))


def test_what_answers_otherwise_is_not_written_unless_forced(champion, material, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("frostline.serving.forms.kind.TOLERANCE", -1.0)
    said = r"The keras export of .* answers otherwise: probabilities differ by up to 0, where -1 is allowed\."
    with pytest.raises(ExportError, match=said + r" Nothing was written; --force"):
        export(champion, tmp_path / "out.keras", Kind("keras"), material)
    assert not list(tmp_path.glob("*out.keras*"))
    assert export(champion, tmp_path / "out.keras", Kind("keras"), material, force=True).agreement.images == 20
    assert re.search(f"Warning: {said}", capfd.readouterr().err)


def test_rounded_exports_are_judged_by_their_labels():
    numbers = {"images": 100, "largest_difference": 0.2, "mean_difference": 0.01, "balanced_accuracy": 0.8}
    numbers |= {"original_balanced_accuracy": 0.8, "loss": {"value": 0, "low": -0.1, "high": 0.1}}
    kept = Agreement.model_validate(numbers | {"equal_labels": LEAST_EQUAL})
    refused = Agreement.model_validate(numbers | {"equal_labels": LEAST_EQUAL - 0.01})
    assert Kind("litert", "int8").objection(kept) == ""
    assert Kind("litert", "int8").objection(refused) == "94.0% of the labels are the same, where 95% are asked for"
    assert Kind("litert").objection(kept) == "probabilities differ by up to 0.2, where 0.001 is allowed"


def test_exports_are_judged_by_what_they_call_known():
    numbers = {"images": 100, "equal_labels": 1, "mean_difference": 0, "balanced_accuracy": 0.8}
    numbers |= {"original_balanced_accuracy": 0.8, "loss": {"value": 0, "low": 0, "high": 0}}
    other = Agreement.model_validate(
        numbers | {"largest_difference": 0, "equal_known": 0.9, "strangeness_difference": 0.02}
    )
    said = "90.0% of the pictures are known or unknown alike, where 95% are asked for"
    assert Kind("litert", "float16").objection(other) == said
    assert Kind("onnx").objection(other) == "strangeness differs by up to 0.02, where 0.01 is allowed"


def test_a_loss_that_is_sure_is_a_warning(champion, material, tmp_path, monkeypatch, capfd):
    lost = Agreement.model_validate(
        {"images": 20, "equal_labels": 1, "largest_difference": 0, "mean_difference": 0, "balanced_accuracy": 0.7}
        | {"original_balanced_accuracy": 0.8, "loss": {"value": 0.1, "low": 0.05, "high": 0.15}}
    )
    monkeypatch.setattr("frostline.serving.export.compare", lambda *_: lost)
    export(champion, tmp_path / "out.keras", Kind("keras"), material)
    assert "Warning: the keras export loses balanced accuracy: 0.1 [0.05, 0.15]." in capfd.readouterr().err


def test_without_the_test_split_an_export_is_written_and_called_unchecked(champion, tmp_path, capfd):
    assert export(champion, tmp_path / "out.keras", Kind("keras"), Material(None)).agreement is None
    assert "whether the keras export answers as the version does is not checked" in capfd.readouterr().err
    assert json.loads((tmp_path / "out.keras.json").read_text())["agreement"] is None


def test_precisions_go_with_litert_alone():
    with pytest.raises(ConfigError, match=r"--format onnx has float32 weights alone, but --precision is int8"):
        Kind.of("onnx", "int8")
    assert Kind.of("litert", "int8").file_name("cells") == "cells-int8.tflite"
    assert Kind.of("onnx", "float32").file_name("cells") == "cells.onnx"


def test_what_onnx_needs_is_named(champion, material, tmp_path, monkeypatch):
    monkeypatch.setattr("frostline.serving.forms.onnx_file._NEEDED", ("onnx", "no_such_package"))
    with pytest.raises(PackageError, match=r"ONNX needs .* pip install no-such-package"):
        export(champion, tmp_path / "out.onnx", Kind("onnx"), material)


def test_what_litert_needs_is_named(champion, material, tmp_path, monkeypatch):
    monkeypatch.setattr("frostline.serving.forms.litert_file._NEEDED", ("no_such_package",))
    with pytest.raises(PackageError, match=r"LiteRT needs .* pip install no-such-package"):
        export(champion, tmp_path / "out.tflite", Kind("litert"), material)


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_jax_says_how_other_forms_are_reached(champion, material, tmp_path, monkeypatch, form):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(ExportError, match=r"KERAS_BACKEND=tensorflow frostline export.* With --format keras any"):
        export(champion, tmp_path / "out", Kind(form), material)


def pixels_of(files):
    squares = [load_square(file, 32, "stretch", min_side=16, max_pixels=10**6) for file in files]
    return np.stack(squares).astype(np.float32)


def served(champion, pixels):
    return keras.saving.load_model(champion.network).predict(pixels, verbose=0)


@needs_onnx
@needs_litert
@pytest.mark.parametrize(("blocks", "views"), [((3,), "dihedral"), ((2, 3), "crops-1")])
def test_a_networks_served_evaluated_and_exported_answers_agree(
    stores, limits, make_record, record_fields, cells, material, tmp_path, monkeypatch, blocks, views
):
    monkeypatch.chdir(tmp_path)
    options = BackboneConfig(image_size=32)
    backbone = build_backbone("vgg16", options)
    depths = {"blocks": blocks, "freeze_depth": blocks[-1], "views": views, "test_views": views}
    best = record_fields["best"] | {"settings": record_fields["best"]["settings"] | depths}
    squares = np.stack([load_square(cell, 32, "stretch", min_side=16, max_pixels=10**6) for cell in cells])
    vectors = compress(np.concatenate([backbone.pooled(block, squares) for block in blocks], axis=1))
    kernel = np.random.default_rng(1).normal(0, 0.1, (vectors.shape[1], 2)).astype(np.float32)
    head = LinearHead(vectors.mean(axis=0), vectors.var(axis=0), kernel, np.zeros(2, dtype=np.float32))
    settings = TrialSettings.model_validate(best["settings"])
    network = whole_network(backbone, settings, head)
    (tmp_path / "model").mkdir()
    network.save(tmp_path / "model" / "model.keras")
    write_training_images(tmp_path / "model", [])
    layer, places = "block1_pool" if blocks == (2, 3) else "block2_pool", [(np.arange(20), np.arange(20, 40))]
    tapped = compress(np.asarray(tap(network, layer).predict_on_batch(squares)))
    familiarity = Familiarity(layer, fit_familiar(tapped, np.arange(40) % 2, places))
    familiarity.write(tmp_path / "model")

    tracker = Tracker.open(stores, tmp_path.name)
    record = make_record(digest(network), tracker.start("study", {}).id, dataset=tmp_path.name, best=best)
    version = register_challenger(tracker, Candidate(record, tmp_path / "model", limits))
    tracker.client.set_registered_model_alias(version.name, "champion", version.version)
    champion = load_champion(tracker, tmp_path.name)

    loaded = keras.saving.load_model(champion.network, compile=False)
    committed = load_config(Path(__file__).parents[2] / "params.yaml")
    config = committed.model_copy(update={"stores": stores, "backbones": {"vgg16": options}})
    index = pd.DataFrame({"image": [cell.name for cell in cells]})
    packed = PackedImages(squares, np.zeros(len(cells), int), index, ("a", "b"), 32, "stretch", tmp_path.name)
    evaluated = Answers(config, "vgg16", packed, np.arange(len(cells))).of(loaded, settings, "Evaluating")
    assert evaluated.std(axis=0).min() > 0.01, "all answers are alike, and show nothing"
    served = predict(champion.model, cells)
    np.testing.assert_allclose(served.filter(like="probability_").to_numpy(), evaluated, atol=1e-5)
    strangeness = familiarity.flagging(0.01).familiar.distances(tapped)
    np.testing.assert_allclose(served["strangeness"], strangeness, atol=1e-3)
    assert served["known"].tolist() == (served["strangeness"] <= 1).tolist()
    assert (champion.views, views_in(loaded)) == (len(views_of(views)),) * 2
    for form in ("keras", "onnx", "litert"):
        record = export(champion, tmp_path / f"out.{form}", Kind(form), material)
        assert record.agreement.largest_difference <= TOLERANCE
        assert record.agreement.strangeness_difference <= TOLERANCE
    record = export(champion, tmp_path / "int8.tflite", Kind("litert", "int8"), material, force=True)
    assert record.megabytes < 0.3 * (tmp_path / "out.litert").stat().st_size / 1e6
    assert record.agreement.mean_difference < 0.1


def test_a_test_picture_that_is_gone_is_named(champion, cells, tmp_path):
    with pytest.raises(DataError, match=r"gone.png cannot be used now: missing.* Run `dvc repro`"):
        export(champion, tmp_path / "out.keras", Kind("keras"), material_of([tmp_path / "gone.png", *cells]))
    assert not (tmp_path / "out.keras").exists()


def test_a_test_picture_that_the_version_cannot_read_is_left_out(champion, cells, tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    unreadable = [tmp_path / "text.png"] * 20
    some = material_of([*unreadable[:15], *cells])
    assert export(champion, tmp_path / "out.keras", Kind("keras"), some).agreement.images == 5
    with pytest.raises(ExportError, match="can read none of 20 test images"):
        export(champion, tmp_path / "none.keras", Kind("keras"), material_of(unreadable))


@needs_litert
def test_what_litert_lacks_is_written_anew_whatever_names_the_network_has(tmp_path):
    keras.backend.clear_session()  # so that operations by themselves would get these names again
    images = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(images)
    for name in ("absolute", "sign", "multiply", "add", "sqrt", "log"):
        x = keras.layers.Identity(name=name)(x)
    network = keras.Model(images, keras.layers.Dense(2, activation="softmax")(keras.ops.arcsinh(x)))
    write_litert(network, tmp_path / "network.tflite", "float32", np.empty((0, 8, 8, 3), dtype=np.uint8))
    pixels = np.random.default_rng(1).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)
    answers, _ = open_export(tmp_path / "network.tflite", "litert")(pixels)
    np.testing.assert_allclose(answers, network.predict_on_batch(pixels), atol=1e-5)
