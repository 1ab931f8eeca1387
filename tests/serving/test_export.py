import importlib.util
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from frostline.backbones.surgery import add_head, build_backbone, pool
from frostline.backbones.viewed import average_over_views
from frostline.config.schema import BackboneConfig
from frostline.data.images import load_square
from frostline.data.views import views_of
from frostline.errors import DataError, ExportError, PackageError
from frostline.registry.models import load_champion, register_challenger
from frostline.serving.export import TOLERANCE, export
from frostline.tracking.runs import Tracker

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
@pytest.mark.parametrize("views", [("identity",), ("dihedral", "crops")])
def test_preprocessing_and_views_are_exported_with_the_network(champion, cells, tmp_path, views):
    backbone = build_backbone("vgg16", BackboneConfig(weights=None, image_size=32), precision="float32", seed=1)
    blocks = backbone.slice(0, 3)
    features = keras.Model(blocks.inputs, pool(blocks.output))
    images = keras.Input((32, 32, 3))
    vectors = average_over_views(images, views_of(*views), features)
    output, _ = add_head(vectors, 2, seed=1)
    file = tmp_path / "vgg16.keras"
    keras.Model(images, output).save(file)
    vgg16 = SimpleNamespace(network=file, name=champion.name, number="1", model_config=champion.model_config)
    assert export(vgg16, tmp_path / "out.onnx", "onnx", cells).difference <= TOLERANCE


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
