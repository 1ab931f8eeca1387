import zlib
from pathlib import Path

import pytest

from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.data.manifest import read_levels, read_manifest
from frostline.data.packed import read_packed
from frostline.errors import ArtifactError
from frostline.files.outputs import output_of
from frostline.records.profile import Profile
from frostline.records.train_record import TrainRecord
from frostline.report.health import read_health
from frostline.report.results import read_results

DAMAGED = (b"", b"{", b"[]", b"\xff\xfe\x00", b'{"a": 1}', b"null")
PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("manifest.csv", lambda folder: read_manifest(folder / "manifest.csv")),
        ("card.json", read_levels),
        ("packed.json", read_packed),
        ("train.json", TrainRecord.read),
        ("profile.json", lambda folder: Profile.read(folder / "profile.json")),
    ],
)
def test_a_damaged_output_is_one_clear_error_that_says_how_to_make_it_again(tmp_path, file, content, read):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(
        ArtifactError, match=r"is damaged, or not of this version. Make it again: dvc repro --force \w+\.$"
    ):
        read(tmp_path)


@pytest.mark.parametrize("content", DAMAGED)
def test_the_report_reads_no_damaged_numbers(tmp_path, monkeypatch, record_fields, content):
    monkeypatch.chdir(tmp_path)
    record = TrainRecord.model_validate(record_fields)
    models, evaluation = tmp_path / "models" / record.name, tmp_path / "results/evaluation" / record.name
    models.mkdir(parents=True)
    evaluation.mkdir(parents=True)
    record.write(models)
    config: Config = load_config(PARAMS)
    numbers = {"metrics": b'{"balanced_accuracy": 1}', "evidence": b'{"intervals": 1, "calibration": 1, "slices": 1}'}
    for damaged in numbers:
        for part, whole in numbers.items():
            (evaluation / f"{part}.json").write_bytes(content if part == damaged else whole)
        with pytest.raises(ArtifactError, match=rf"{damaged}\.json is damaged, .*--force evaluate"):
            read_results(config)
    (tmp_path / "data/prepared/cells").mkdir(parents=True)
    (tmp_path / "data/prepared/cells/card.json").write_bytes(content)
    header = "image,label,split,group,width,height,sha256\n"
    (tmp_path / "data/prepared/cells/manifest.csv").write_text(header)
    with pytest.raises(ArtifactError, match=r"card\.json is damaged, .*--force prepare"):
        read_health("cells")


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (OSError(13, "Permission denied", "x/images.npy"), r"^x/images\.npy cannot be read: Permission denied\. Mend"),
        (OSError(24, "Too many open files"), r"train\.json cannot be read: Too many open files\. Mend that"),
        (OSError("Unable to open file (truncated file)"), r"train\.json is damaged, .*--force train"),
        (zlib.error("incorrect header check"), r"train\.json is damaged, .*--force train"),
        (FileNotFoundError(2, "No such file", "x/labels.npy"), r"^x/labels\.npy does not exist\. Make it"),
    ],
)
def test_what_the_system_refuses_of_an_output_is_told_from_damage(tmp_path, raised, words):
    (tmp_path / "train.json").touch()
    with pytest.raises(ArtifactError, match=words) as caught, output_of("train", tmp_path / "train.json"):
        raise raised
    assert caught.value.__cause__ is raised


def test_a_network_that_is_gone_is_not_called_damaged(tmp_path):
    import keras

    path = tmp_path / "model.keras"
    with pytest.raises(ArtifactError, match=r"model\.keras does not exist\."), output_of("train", path):
        keras.saving.load_model(path)


def test_an_output_that_is_gone_is_told(tmp_path):
    with pytest.raises(ArtifactError, match=r"packed\.json does not exist. Make it with: dvc repro\."):
        read_packed(tmp_path)
    with pytest.raises(ZeroDivisionError), output_of("train", tmp_path):
        _ = 1 / 0
