import json

import pytest
from pydantic import ValidationError

from frostline.errors import ArtifactError
from frostline.records.train_record import Best, GroupResult, TrainRecord


def test_a_record_is_read_as_it_was_written(tmp_path, record_fields):
    record = TrainRecord.model_validate(record_fields)
    record.write(tmp_path)
    assert TrainRecord.read(tmp_path) == record
    assert json.loads((tmp_path / "train.json").read_text()) == record_fields
    assert (record.cell, record.name) == ("solar_cells-small", "solar_cells-small-vgg16")


def test_a_missing_record_says_which_stage_writes_it(tmp_path):
    with pytest.raises(ArtifactError, match=r"train\.json does not exist. Make it with: dvc repro"):
        TrainRecord.read(tmp_path)


@pytest.mark.parametrize("change", [{"colour": "red"}, {"size": None}, {"resize": "squeeze"}])
def test_a_record_of_another_version_is_refused(tmp_path, change, record_fields):
    (tmp_path / "train.json").write_text(json.dumps(record_fields | change))
    with pytest.raises(ArtifactError, match=r"train\.json is damaged, or not of this version.*--force train"):
        TrainRecord.read(tmp_path)


def test_a_record_does_not_change(record_fields):
    with pytest.raises(ValidationError, match="frozen"):
        TrainRecord.model_validate(record_fields).seconds = 1.0


def test_the_guides_network_is_the_winners_only_if_it_is_the_same_trial(record_fields):
    def guided(trial):
        return TrainRecord.model_validate(record_fields | {"guide": record_fields["guide"] | {"trial": trial}})

    assert guided(record_fields["best"]["trial"]).guide_model == "model.keras"
    assert guided(1).guide_model == "guide.keras"
    assert guided(None).guide_model is None


@pytest.mark.parametrize(
    ("group", "scored", "verdict"),
    [
        ({"score": 0.8234, "standard_error": 0.0212, "decided": True}, "0.823 ± 0.021", "decided"),
        ({"decided": True}, "–", "decided: not ahead of another trial on the images so far"),
        ({"minutes": 11.6}, "–", "not decided within this budget: about 12 minutes more"),
        ({"minutes": 0.2}, "–", "not decided within this budget: about 1 minute more"),
        ({"trials": 0}, "–", "not decided within this budget"),
    ],
)
def test_a_depth_group_says_whether_it_is_decided(group, scored, verdict):
    nothing = {"score": None, "standard_error": None, "decided": False, "minutes": None}
    found = GroupResult.model_validate({"group": "all blocks", "trials": 2} | nothing | group)
    assert (found.scored, found.verdict) == (scored, verdict)


def test_the_groups_that_are_left_open_are_named(record_fields):
    record = TrainRecord.model_validate(record_fields)
    assert [group.group for group in record.undecided] == ["all blocks"]
    assert (record.best.group, record.best.reads, record.best.views) == ("heads", "blocks 3, 4", 2)
    members = [{"blocks": [3], "pooling": "both", "share": 0.6}, {"blocks": [4], "pooling": "average", "share": 0.4}]
    ensemble = record_fields["best"] | {"settings": record_fields["best"]["settings"] | {"members": members}}
    assert Best.model_validate(ensemble).reads == "blocks 3, 4, as the mean of 2 heads"
    assert record.best.params() == {
        "strategy": "start_of_convnet",
        "group": "heads",
        "init": "pretrained",
        "keep": 4,
        "thaw": 0,
        "freeze_depth": 4,
        "blocks": "3,4",
        "pooling": "both",
        "views": "mirror",
        "test_views": "mirror",
        "heads": 1,
    }
