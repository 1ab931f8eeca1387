"""Model cards, from files as the stages leave them."""

import json
import re

import pandas as pd
import pytest

from frostline.config.cards import CardConfig
from frostline.config.load import load_config
from frostline.data.manifest import Prepared, write_prepared
from frostline.errors import ArtifactError
from frostline.records.label_summary import LabelSummary
from frostline.records.train_record import TrainRecord
from frostline.report.card import as_html, card_of
from frostline.report.contest import read_contest
from frostline.report.coverage import coverage_of
from frostline.report.results import CellResult

SLICE = {"images": 40, "accuracy": 0.8, "accuracy_low": 0.6, "accuracy_high": 0.9, "balanced_accuracy": 0.75}
METRICS = {"images": 60, "accuracy": 0.8, "balanced_accuracy": 0.75, "calibration_error": 0.04, "megabytes": 59.2}
METRICS |= {"guide": {"balanced_accuracy": 0.7, "difference": 0.05, "difference_low": 0.01, "difference_high": 0.09}}
EVIDENCE = {
    "intervals": {"balanced_accuracy": {"low": 0.7, "high": 0.8}, "accuracy": {"low": 0.72, "high": 0.86}},
    "per_class": {
        "defective": {"precision": 0.7, "recall": 0.8, "f1": 0.75, "images": 40},
        "functional": {"precision": 0.9, "recall": 0.7, "f1": 0.8, "images": 20},
    },
    "calibration": {"temperature": 1.25, "error_before": 0.09, "log_loss_before": 0.6},
    "slices": {"cell_type": {"mono": SLICE, "<b>poly</b>|*x*": SLICE}},
}
TRIALS = [
    {"trial": 1, "strategy": "end_of_convnet", "thaw": 0, "images": 0.0, "state": "complete"},
    {"trial": 2, "strategy": "fine_tune", "thaw": 5, "images": 1200.4, "state": "failed"},
    {"trial": 3, "strategy": "start_of_convnet", "thaw": 0, "images": float("nan"), "state": "complete"},
]
BRIER = {1: 0.21, 2: None, 3: 0.175}


def manifest() -> pd.DataFrame:
    rows = [
        {
            "image": f"{label}/{number}.{'png' if number < 60 else 'jpg'}",
            "label": label,
            "split": "test" if number < tests else "train",
            "group": f"{label}{number}",
            "width": 300 + number,
            "height": 200,
            "sha256": f"{label}{number}",
            "site": "north" if number < 70 else "south",
        }
        for label, tests in (("defective", 40), ("functional", 20))
        for number in range(80)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def result(record_fields, tmp_path, monkeypatch) -> CellResult:
    """A cell whose files are there."""
    monkeypatch.chdir(tmp_path)
    found = CellResult(TrainRecord.model_validate(record_fields), METRICS, EVIDENCE)
    counts = {"defective": {"train": 40, "test": 40}, "functional": {"train": 60, "test": 20}}
    card = {"images": 160, "classes": counts, "quarantined": {"label_conflict": 2, "truncated": 1}, "duplicates": 3}
    card |= {"groups": {"count": 0, "images": 0, "largest": 1}}
    card |= {"corrected": {"relabelled": 4, "confirmed": 1, "left_out": 0, "unused": 0}}
    none, kept = pd.DataFrame(columns=["image", "reason", "detail"]), pd.DataFrame(columns=["image", "given", "label"])
    write_prepared(tmp_path / "data/prepared/solar_cells", Prepared(manifest(), none, kept, card))
    pairs = {"defective, likelier functional": 5}
    labels = LabelSummary(dataset="solar_cells", training_images=100, looked_at=80, label_issues=5, pairs=pairs)
    labels.folder.mkdir(parents=True)
    labels.write(labels.folder)
    found.model.mkdir(parents=True)
    trials = [trial | {"validation_brier_score": BRIER[trial["trial"]]} for trial in TRIALS]
    (found.model / "study.json").write_text(json.dumps(trials))
    return found


@pytest.fixture
def config(pytestconfig):
    return load_config(pytestconfig.rootpath / "params.yaml").model_copy(update={"cards": {}})


def test_a_card_has_the_sections_of_the_paper_in_its_order(result, config):
    assert re.findall(r"^## (.*)$", card_of(result, config), re.MULTILINE) == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "| balanced accuracy | 0.750 | 0.700 to 0.800 |",
        "| defective | 40 | 0.800 | 0.700 |",
        "| mono | 40 | 0.800 | 0.600 to 0.900 | 0.750 |",
        "| class | train | test |",
        "| functional | 60 | 20 |",
        "- Set aside: 2 label_conflict, 1 truncated. Exact duplicates: 3. "
        "Files under several labels, all of which are left out: 2.",
        "- Corrected by hand: 4 relabelled, 1 confirmed, 0 left out, 0 unused.",
        "- Labels: 5 of 80 training images may have a wrong label (5 defective, likelier functional).",
        "- Trial 3 won by its Brier score in validation, 0.1750; the next, trial 1 (end_of_convnet), had 0.2100.",
        "- Strategies tried, by trials: 1 end_of_convnet, 1 fine_tune, 1 start_of_convnet.",
        "1 trials that thawed blocks, which trained on 1200 images",
        "on test images: +5.0 points of balanced accuracy (+1.0 to +9.0): the search is better.",
        "| all blocks | 3 | – | not decided within this budget: about 9 minutes more |",
        "Expected calibration error: 0.040, and 0.090 without the temperature.",
        "by one temperature, 1.25, fitted",
        "released by the Visual Geometry Group, Oxford",
        "- functional, of which there are 20 test images: too few to tell;",
        "- site south, which only training images have.",
        "- pictures that are not 300 to 339 pixels wide and 200 high, or in other files than .png;",
        "Not stated (`cards.solar_cells.intended_use` in params.yaml).",
    ],
)
def test_its_figures_are_those_of_the_files(result, config, line):
    assert line in card_of(result, config)


def test_what_people_wrote_is_in_it(result, config):
    words = CardConfig(data="From *our* roof.", intended_use="To sort\nmodules.", considerations="None are people.")
    card = card_of(result, config.model_copy(update={"cards": {"solar_cells": words}}))
    assert "not stated (`cards" not in card.lower()
    assert "From \\*our\\* roof." in card
    assert "To sort modules." in card
    assert "None are people." in card


def test_words_of_users_are_no_markup(result, config):
    card = card_of(result, config)
    html = as_html(card)
    assert "<b>" not in html
    assert "&lt;b&gt;poly&lt;/b&gt;|*x*</td>" in html
    assert html.count("<table>") == card.count("\n| --- |")
    assert set(re.findall(r"<h(\d)>", html)) == {"3", "4", "5"}


@pytest.mark.parametrize(
    ("weights", "said"),
    [(None, "Pretrained weights: none"), ("mine.weights.h5", "from a file of the user's: whose they are")],
)
def test_only_known_weights_have_a_licence(result, config, weights, said):
    backbone = config.backbone("vgg16").model_copy(update={"weights": weights})
    card = card_of(result, config.model_copy(update={"backbones": {"vgg16": backbone}}))
    assert said in card
    assert "Oxford" not in card


def test_a_study_of_one_trial_has_no_second(tmp_path):
    trial = TRIALS[0] | {"validation_brier_score": 0.3}
    (tmp_path / "study.json").write_text(json.dumps([trial]))
    contest = read_contest(tmp_path, 1)
    assert (contest.winner.brier_score, contest.second, contest.heads, contest.thawed) == (0.3, None, 1, 0)


def test_a_study_without_its_winner_is_another_one(tmp_path):
    (tmp_path / "study.json").write_text(json.dumps([TRIALS[0] | {"validation_brier_score": 0.3}]))
    with pytest.raises(ArtifactError, match=r"study\.json is damaged, or not of this version.*force train"):
        read_contest(tmp_path, 2)


def test_columns_of_many_values_are_no_factors():
    many = manifest().assign(site=[f"site {number}" for number in range(160)])
    assert coverage_of(many).untested == {}
    assert coverage_of(manifest()).untested == {"site": ("south",)}


def test_a_card_is_made_though_nobody_has_looked_at_the_labels(result, config):
    (LabelSummary.place("solar_cells") / "summary.json").unlink()
    card = card_of(result, config)
    assert "- Labels: the stage labels has not looked for wrong ones." in card
