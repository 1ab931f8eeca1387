import json

import pytest
from pydantic import ValidationError

from frostline.errors import SearchError
from frostline.training.record import TrainRecord

FIELDS = {
    "dataset": "solar_cells",
    "size": "small",
    "per_class": 50,
    "images": 100,
    "backbone": "vgg16",
    "image_size": 96,
    "resize": "stretch",
    "classes": ["defective", "functional"],
    "best": {
        "trial": 3,
        "strategy": "start_of_convnet",
        "init": "pretrained",
        "keep": 4,
        "thaw": 0,
        "freeze_depth": 4,
        "head_learning_rate": 0.003,
        "backbone_learning_rate": 0.00005,
        "weight_decay": 0.001,
        "dropout": 0.3,
        "pooling": "both",
        "views": "mirror",
        "epochs": 12,
    },
    "validation": {"balanced_accuracy": 0.8, "scheme": "5-fold"},
    "trials": {"complete": 9, "pruned": 2, "failed": 1},
    "seconds": 61.5,
    "run_id": "0" * 32,
    "experiment_id": "1",
    "study_name": "solar_cells-small-vgg16-aaaaaaaa",
    "fingerprints": {"data": "d", "weights": "w", "study": "s", "model": "m"},
}


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = TrainRecord.model_validate(FIELDS)
    record.write(tmp_path)
    assert TrainRecord.read(tmp_path) == record
    assert json.loads((tmp_path / "train.json").read_text()) == FIELDS
    assert (record.cell, record.name) == ("solar_cells-small", "solar_cells-small-vgg16")


def test_a_missing_record_says_which_stage_writes_it(tmp_path):
    with pytest.raises(SearchError, match=r"train\.json does not exist: run the stage train first"):
        TrainRecord.read(tmp_path)


@pytest.mark.parametrize("change", [{"colour": "red"}, {"size": None}, {"resize": "squeeze"}])
def test_a_record_of_another_version_is_refused(tmp_path, change):
    (tmp_path / "train.json").write_text(json.dumps(FIELDS | change))
    with pytest.raises(SearchError, match=rf"is not a record of this version(.|\n)*{next(iter(change))}"):
        TrainRecord.read(tmp_path)


def test_a_record_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        TrainRecord.model_validate(FIELDS).seconds = 1.0
