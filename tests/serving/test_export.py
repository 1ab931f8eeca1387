import importlib.util
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from frostline.backbones.readout import compress
from frostline.backbones.surgery import build_backbone
from frostline.backbones.viewed import views_in
from frostline.backbones.weights import digest
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.data.images import load_square
from frostline.data.packed import PackedImages
from frostline.data.views import views_of
from frostline.errors import DataError, ExportError, PackageError
from frostline.evaluation.answers import Answers
from frostline.records.train_record import write_training_images
from frostline.registry.models import load_champion, predict, register_challenger
from frostline.serving.export import TOLERANCE, export
from frostline.tracking.runs import Tracker
from frostline.training.ridge import LinearHead
from frostline.training.served import whole_network
from frostline.training.settings import TrialSettings

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
    version = register_challenger(tracker, record, tmp_path / "model", limits)
    tracker.client.set_registered_model_alias(version.name, "champion", version.version)
    return load_champion(tracker, dataset)


def test_a_keras_export_is_the_network_itself(champion, cells, tmp_path):
    assert export(champion, tmp_path / "out.keras", "keras", cells) == (0, len(cells))
    assert (tmp_path / "out.keras").read_bytes() == champion.network.read_bytes()


@needs_onnx
def test_an_onnx_export_answers_as_the_network_does(champion, cells, tmp_path):
    import onnxruntime

    path = tmp_path / "out.onnx"
    assert export(champion, path, "onnx", cells).difference <= TOLERANCE
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    squares = [load_square(cell, 32, "stretch", min_side=16, max_pixels=10**6) for cell in cells]
    pixels = np.stack(squares).astype(np.float32)
    expected = keras.saving.load_model(champion.network).predict(pixels, verbose=0)
    np.testing.assert_allclose(session.run(None, {given.name: pixels})[0], expected, atol=TOLERANCE)


def test_an_export_that_answers_otherwise_is_not_written(champion, cells, tmp_path, monkeypatch):
    monkeypatch.setattr("frostline.serving.export.TOLERANCE", -1.0)
    with pytest.raises(ExportError, match=r"The keras export of .* answers otherwise .* Nothing was written"):
        export(champion, tmp_path / "out.keras", "keras", cells)
    assert not list(tmp_path.glob("*out.keras*"))


def test_what_onnx_needs_is_named(champion, cells, tmp_path, monkeypatch):
    monkeypatch.setattr("frostline.serving.export._NEEDED", ("onnx", "no_such_package"))
    with pytest.raises(PackageError, match="pip install no_such_package"):
        export(champion, tmp_path / "out.onnx", "onnx", cells)


def test_jax_says_how_onnx_is_reached(champion, cells, tmp_path, monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(ExportError, match=r"KERAS_BACKEND=tensorflow frostline export\. With --format keras any"):
        export(champion, tmp_path / "out.onnx", "onnx", cells)


@needs_onnx
@pytest.mark.parametrize(("blocks", "views"), [((3,), "dihedral"), ((2, 3), "crops-1")])
def test_a_networks_served_evaluated_and_exported_answers_agree(
    stores, limits, make_record, record_fields, cells, tmp_path, monkeypatch, blocks, views
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

    tracker = Tracker.open(stores, tmp_path.name)
    record = make_record(digest(network), tracker.start("study", {}).id, dataset=tmp_path.name, best=best)
    version = register_challenger(tracker, record, tmp_path / "model", limits)
    tracker.client.set_registered_model_alias(version.name, "champion", version.version)
    champion = load_champion(tracker, tmp_path.name)

    loaded = keras.saving.load_model(champion.network, compile=False)
    committed = load_config(Path(__file__).parents[2] / "params.yaml")
    config = committed.model_copy(update={"stores": stores, "backbones": {"vgg16": options}})
    index = pd.DataFrame({"image": [cell.name for cell in cells]})
    packed = PackedImages(squares, np.zeros(len(cells), int), index, ("a", "b"), 32, "stretch", tmp_path.name)
    evaluated = Answers(config, "vgg16", packed, np.arange(len(cells))).of(loaded, settings, "Evaluating")
    assert evaluated.std(axis=0).min() > 0.01, "all answers are alike, and show nothing"
    served = predict(champion.model, cells).filter(like="probability_").to_numpy()
    np.testing.assert_allclose(served, evaluated, atol=1e-5)
    assert (champion.views, views_in(loaded)) == (len(views_of(views)),) * 2
    for form in ("keras", "onnx"):
        assert export(champion, tmp_path / f"out.{form}", form, cells).difference <= TOLERANCE


def test_a_test_picture_that_is_gone_is_named(champion, cells, tmp_path):
    with pytest.raises(DataError, match=r"gone.png cannot be used now: missing.* Run `dvc repro`"):
        export(champion, tmp_path / "out.keras", "keras", [*cells, tmp_path / "gone.png"])
    assert not (tmp_path / "out.keras").exists()


def test_a_test_picture_that_the_version_cannot_read_is_left_out(champion, cells, tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    unreadable = [tmp_path / "text.png"] * 40
    assert export(champion, tmp_path / "out.keras", "keras", [*unreadable, *cells[:2]]) == (0, 2)
    with pytest.raises(ExportError, match="can read none of 40 test images"):
        export(champion, tmp_path / "none.keras", "keras", unreadable)
