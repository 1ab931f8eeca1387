"""Pictures of more than 8 bits and interrupted copies, from their folder to what is served."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from frostline.config.schema import FolderConfig, PrepareConfig
from frostline.data.levels import OWN_LEVELS, Levels, Range
from frostline.data.manifest import build, read_levels, write_prepared
from frostline.data.packed import Form, PackedImages, read_packed, write_packed
from frostline.data.sample import sample_folder
from frostline.data.sources import open_source
from frostline.records.train_record import TrainRecord
from frostline.stages import prepare

PARAMS = Path(__file__).parents[2] / "params.yaml"
SIDE = 32


def write_set(folder: Path, white: int, dtype: str = "uint16") -> None:
    """Two classes of 14 pictures, dark ones and bright ones, with values up to `white`."""
    rng = np.random.default_rng(0)
    for label, share in (("dark", 0.2), ("bright", 0.75)):
        (folder / label).mkdir(parents=True)
        for number in range(14):
            values = np.clip(rng.normal(share, 0.1, (SIDE, SIDE)) + number / 100, 0, 1) * white
            values[0, 0] = white if number == 13 and label == "bright" else values[0, 0]
            tifffile.imwrite(folder / label / f"{number:02}.tif", values.astype(dtype))


def packed(pictures: Path) -> PackedImages:
    """What `prepare` and `preprocess` make of the folder, without their runs."""
    options, config = FolderConfig(source="folder", path=pictures), PrepareConfig()
    source = open_source(options)
    prepared = build(source, options, config, 1)
    write_prepared(pictures.parent / "prepared", prepared)
    levels = read_levels(pictures.parent / "prepared")
    write_packed(pictures.parent / "packed", prepared.manifest, source.root, Form(SIDE, "stretch", levels), config)
    return read_packed(pictures.parent / "packed")


@pytest.mark.parametrize(
    ("white", "dtype", "levels"),
    [
        (4095, "uint16", Levels(Range(0, 4095))),
        (1023, "int32", Levels(Range(0, 1023))),
        (16383, "float32", Levels(floats=Range(0, 16383))),
        (65535, "uint16", Levels(Range(0, 65535))),
        (1, "float64", Levels(floats=Range(0, 1))),
        (255, "uint8", OWN_LEVELS),
    ],
)
def test_a_data_set_has_one_white(tmp_path: Path, white: int, dtype: str, levels: Levels) -> None:
    write_set(tmp_path / "pictures", white, dtype)
    found = packed(tmp_path / "pictures")
    means = found.images.mean(axis=(1, 2, 3))
    assert found.levels == levels
    assert found.classes == ("bright", "dark")
    assert [means[found.labels == number].mean() for number in (0, 1)] == pytest.approx([205, 68], abs=6)
    sample = sample_folder(tmp_path / "pictures", 100, SIDE, PrepareConfig(), 1)
    assert sample.images.mean() == pytest.approx(found.images.mean(), rel=0.02)


def test_prepare_says_what_was_stretched_and_what_stays_nearly_black(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = yaml.safe_load(PARAMS.read_text())
    params["datasets"] = {"wide": {"source": "folder", "path": "pictures"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_set(tmp_path / "pictures", 200)
    values = np.linspace(0, 4095, SIDE * SIDE).reshape(SIDE, SIDE)
    tifffile.imwrite(tmp_path / "pictures/bright/99.tif", values.astype("uint16"))
    prepare.run("wide")
    said = " ".join(capsys.readouterr().err.split())
    assert "do not use them all; taken as integers from 0 (black) to 4095 (white)" in said
    assert "28 pictures of more than 8 bits become nearly black (bright/00.tif is one)" in said
    assert "make them a data set of their own" in said


def test_interrupted_copies_are_quarantined(tmp_path: Path) -> None:
    write_set(tmp_path / "pictures", 4095)
    for number in range(3):
        file = tmp_path / f"pictures/dark/{number:02}.tif"
        data = file.read_bytes()
        kept = len(data) * (number + 4) // 10 + 7
        file.write_bytes(data[:kept] + bytes(len(data) - kept))
    assert len(packed(tmp_path / "pictures").images) == 25
    quarantine = (tmp_path / "prepared/quarantine.csv").read_text()
    assert quarantine.count(",truncated,") == 3


def test_serving_decodes_by_the_levels_that_were_trained_on(tmp_path: Path, record_fields: dict[str, Any]) -> None:
    import keras
    import pandas as pd

    from frostline.registry.package import Candidate, open_unregistered

    write_set(tmp_path / "pictures", 4095)
    trained_on = packed(tmp_path / "pictures")
    inputs = keras.Input((SIDE, SIDE, 3))
    outputs = keras.layers.Dense(2, activation="softmax")(
        keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    )
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    record = TrainRecord.model_validate(record_fields | {"image_size": SIDE, "levels": trained_on.levels})
    record.write(tmp_path)
    record = TrainRecord.read(tmp_path)
    assert record.levels == Levels(Range(0, 4095))
    served = open_unregistered(Candidate(record, tmp_path, PrepareConfig()))
    dark = trained_on.index["image"].str.startswith("dark").to_numpy()  # none of these reaches 4095
    contents = [(tmp_path / "pictures" / image).read_bytes() for image in trained_on.index["image"][dark]]
    answer = served.predict(pd.DataFrame({"image": contents}))
    expected = keras.saving.load_model(tmp_path / "model.keras").predict(trained_on.images[dark], verbose=0)
    found = answer[[f"probability_{name}" for name in record.classes]].to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
