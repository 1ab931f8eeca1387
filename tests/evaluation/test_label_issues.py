"""Labels that are wrong are found by a real head on real pictures, and those that a person looked at are not listed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.data.packed import PackedImages
from frostline.evaluation.label_issues import LabelIssues, find_label_issues, held_out_cell
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup

TRAIN = load_config(Path(__file__).parents[2] / "params.yaml").train.model_copy(update={"precision": "float32"})
SETTINGS = TrialSettings(
    init="pretrained", blocks=(1, 2), freeze_depth=2, pooling="both", views="identity", test_views="identity"
)
COUNT = 60
WRONG = [7, 23, 41]


@pytest.fixture
def packed(packed_cells) -> PackedImages:
    """Dark and light cells, without those between; three have the other label."""
    whole = packed_cells(32, 2 * COUNT)
    brightness = whole.images.mean(axis=(1, 2, 3))
    order = np.argsort(brightness)
    rows = np.sort(np.concatenate([order[: COUNT // 2], order[-COUNT // 2 :]]))
    labels = whole.labels[rows]
    labels[WRONG] = 1 - labels[WRONG]
    index = whole.index.iloc[rows].assign(label=np.array(whole.classes)[labels]).reset_index(drop=True)
    return replace(whole, images=whole.images[rows], labels=labels, index=index, fingerprint="with wrong labels")


def issues(packed: PackedImages, cache: Path, known: frozenset[str] = frozenset()) -> LabelIssues:
    cell = held_out_cell(packed, np.arange(len(packed.labels)), TRAIN, seed=20)
    backbone = BackboneConfig(weights="imagenet", image_size=packed.image_size)
    setup = Setup(cell, "vgg16", backbone, TRAIN, PrefixCache(cache, 10**9), seed=20)
    return find_label_issues(setup, SETTINGS, known)


def test_wrong_labels_come_first_with_the_right_class_and_a_column_to_fill_in(packed, tmp_path: Path) -> None:
    found = issues(packed, tmp_path)
    first = found.table.head(len(WRONG))
    assert found.looked_at == COUNT
    assert sorted(found.rows[: len(WRONG)]) == WRONG
    assert first["image"].tolist() == packed.index["image"].iloc[found.rows[: len(WRONG)]].tolist()
    assert (first["likelier"] != first["label"]).all()
    assert first["label"].tolist() == packed.index["label"].iloc[found.rows[: len(WRONG)]].tolist()
    assert (found.table["probability_likelier"] > found.table["probability_label"]).all()
    assert set(found.table["correct"]) == {""}
    assert sum(found.pairs.values()) == len(found.table)


def test_what_a_person_looked_at_is_not_listed_again(packed, tmp_path: Path) -> None:
    before = issues(packed, tmp_path)
    known = before.table["image"].iloc[0]
    after = issues(packed, tmp_path, frozenset({known}))
    assert after.table["image"].tolist() == before.table["image"].tolist()[1:]
    assert after.looked_at == COUNT


def test_a_class_of_one_group_is_not_looked_at(packed, tmp_path: Path) -> None:
    third = np.arange(6)
    labels = packed.labels.copy()
    labels[third] = 2
    group = packed.index["group"].to_numpy(dtype=object)
    group[third] = "one"
    classes = (*packed.classes, "third")
    index = packed.index.assign(label=np.array(classes)[labels], group=group)
    found = issues(replace(packed, labels=labels, index=index, classes=classes), tmp_path)
    assert found.looked_at == COUNT - len(third)
    assert "third" not in set(found.table["label"])
    alike = replace(packed, index=packed.index.assign(group=packed.index["label"]))
    assert held_out_cell(alike, np.arange(COUNT), TRAIN, seed=20) is None
    none = LabelIssues.none()
    assert (none.looked_at, none.pairs, list(none.table)) == (0, {}, list(found.table))
