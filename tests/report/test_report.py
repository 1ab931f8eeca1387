"""The page and the table, from real pictures and records."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from PIL import Image

from frostline.records.label_summary import LabelSummary
from frostline.records.train_record import TrainRecord
from frostline.report.health import Health
from frostline.report.page import render
from frostline.report.results import CellResult, regime_table

GUIDE = {"balanced_accuracy": 0.7, "difference": 0.05, "difference_low": 0.01, "difference_high": 0.09}
METRICS = {
    "images": 40,
    "balanced_accuracy": 0.75,
    "accuracy": 0.8,
    "calibration_error": 0.04,
    "megabytes": 59.2,
    "guide": GUIDE,
}
EVIDENCE = {
    "serving": {"milliseconds": 31.2, "pictures_per_second": 40.0},
    "intervals": {"balanced_accuracy": {"low": 0.7, "high": 0.8}, "accuracy": {"low": 0.72, "high": 0.86}},
    "calibration": {"temperature": 1.4, "error_before": 0.09, "log_loss_before": 0.6},
    "slices": {
        "cell_type": {
            kind: {
                "images": 20,
                "accuracy": 0.8,
                "accuracy_low": 0.6,
                "accuracy_high": 0.9,
                "balanced_accuracy": 0.75,
            }
            for kind in ("mono", "<b>poly</b>")
        }
    },
}
HEALTH = Health(
    name="solar_cells",
    images=120,
    classes={"defective": {"train": 40, "test": 20}, "functional": {"train": 40, "test": 20}},
    quarantined={"truncated": 2, "too_small": 1},
    duplicates=3,
    groups={"count": 4, "images": 9, "largest": 3},
    divided=0,
    corrected={"relabelled": 0, "confirmed": 0, "left_out": 0, "unused": 0},
    labels=None,
)


@pytest.fixture
def result(record_fields, tmp_path, monkeypatch) -> CellResult:
    """A cell whose pictures are there."""
    monkeypatch.chdir(tmp_path)
    found = CellResult(TrainRecord.model_validate(record_fields), METRICS, EVIDENCE)
    for folder, names in (
        (found.model, ["groups", "trials", "heads", "history", "importance"]),
        (found.evaluation, ["confusion", "reliability", "thresholds", "mistakes", "gradcam"]),
    ):
        folder.mkdir(parents=True)
        for name in names:
            Image.new("RGB", (8, 8), "white").save(folder / f"{name}.png")
    return found


def page(result: CellResult, health: Health = HEALTH) -> str:
    profile = result.model / "trials.png"
    now = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    lineage = {"version.frostline": "1.2.3", "git_commit": "c" * 40}
    return render([result], [health], {"solar_cells-vgg16": profile}, lineage, "http://127.0.0.1:5000/", now)


class Reader(HTMLParser):
    """Text, links, images, and whether every tag that is opened is closed."""

    EMPTY = ("meta", "link", "img", "br", "!doctype")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.found: dict[str, list[dict[str, str]]] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.setdefault(tag, []).append(dict(attrs))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_whole_and_needs_no_other_file(result):
    reader = Reader(page(result))
    assert reader.open == []
    sources = [image["src"] for image in reader.found["img"]]
    assert len(sources) == 11
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(image["alt"] for image in reader.found["img"])
    assert not reader.found.get("script")
    targets = {link["href"] for link in reader.found["a"]}
    record = result.record
    assert f"http://127.0.0.1:5000/#/experiments/{record.experiment_id}/runs/{record.run_id}" in targets
    assert {target[1:] for target in targets if target.startswith("#")} <= {
        part.get("id") for part in reader.found["h2"]
    }


def test_the_page_says_what_was_found(result):
    text = re.sub(r"\s+", " ", " ".join(Reader(page(result)).text))
    assert "How the winner learned" not in text
    for sentence in (
        "the search is better",
        "+5.0 (+1.0 to +9.0)",
        "start_of_convnet, 4 of 4 blocks frozen",
        "the calibration error was 0.090 without it",
        "2 truncated, 1 too_small",
        "none of the groups are divided between splits",
        "2026-11-25 12:00 UTC",
        "its head reads blocks 3, 4. It predicts from the average over 2 views of a picture (mirror)",
        "heads (the winner's) 9 0.820 ± 0.020 decided",
        "all blocks 3 – not decided within this budget: about 9 minutes more",
        "under 2 views, 40 a second, 32 at once",
    ):
        assert sentence in text, sentence


def test_the_page_shows_rates_and_learning_of_a_winner_that_thaws_blocks(result, record_fields):
    rates = {"head_learning_rate": 1e-4, "backbone_learning_rate": 3e-5, "dropout": 0.3}
    own = {"blocks": [4], "freeze_depth": 3, "test_views": "identity"} | rates
    best = record_fields["best"] | {"settings": record_fields["best"]["settings"] | own, "epochs": 3}
    thawed = TrainRecord.model_validate(record_fields | {"best": best})
    Image.new("RGB", (8, 8), "white").save(result.model / "learning.png")
    text = re.sub(r"\s+", " ", " ".join(Reader(page(CellResult(thawed, METRICS, EVIDENCE))).text))
    assert "its head reads block 4, and it was trained at a rate of 1.0e-04, the blocks at 3.0e-05" in text
    assert "It predicts from the picture as it is. " in text
    assert "How the winner learned" in text


def test_names_from_the_data_are_text_not_markup(result):
    assert "<b>poly</b>" not in page(result)
    assert "&lt;b&gt;poly&lt;/b&gt;" in page(result)


@pytest.mark.parametrize(
    ("guide", "best", "verdict"),
    [
        (GUIDE, 3, "the search is better"),
        (GUIDE | {"difference_low": -0.01}, 3, "no clear difference"),
        (GUIDE | {"difference_low": -0.09, "difference_high": -0.01}, 3, "the guide is better"),
        (GUIDE, 1, "nothing beat the guide's own"),
        (None, 3, "no trial of the guide's was trained"),
    ],
)
def test_the_table_says_whether_the_guide_was_right(result, guide, best, verdict):
    record = result.record.model_copy(update={"best": result.record.best.model_copy(update={"trial": best})})
    metrics = {name: value for name, value in METRICS.items() if name != "guide"} | ({"guide": guide} if guide else {})
    found = CellResult(record, metrics, EVIDENCE)
    (row,) = regime_table([found]).to_dict("records")
    assert (row["cell"], row["verdict"], row["test"]) == ("solar_cells-small", verdict, 0.75)
    assert (row["blocks"], row["test_views"], row["undecided"]) == ("3,4", "mirror", "all blocks")
    assert verdict in Reader(page(found)).text


def test_a_guides_trial_that_was_cut_short_is_said_to_be(result):
    record = result.record.model_copy(update={"best": result.record.best.model_copy(update={"trial": 3})})
    short = record.model_copy(update={"guide": record.guide.model_copy(update={"complete": False})})
    found = CellResult(short, METRICS | {"guide": GUIDE}, EVIDENCE)
    assert found.verdict == "the search is better; the guide's was not trained to its end"


def test_a_divided_group_is_told(result):
    divided = Health(**{**HEALTH.__dict__, "divided": 1, "quarantined": {}})
    text = re.sub(r"\s+", " ", " ".join(Reader(page(result, divided)).text))
    assert "1 of the groups is divided between splits" in text
    assert "Set aside: nothing" in text


def test_no_word_of_the_data_hides_breaks_out_or_looks_like_another(result):
    one = EVIDENCE["slices"]["cell_type"]["mono"]
    column = 'a"><script>alert(1)</script>\x00\u202e'
    names = ["20240101", "20240102", "'\" onload=x", "\udce9", "{{ 7 * 7 }}"]
    evidence = EVIDENCE | {
        "slices": {column: dict.fromkeys(names, one), "share": dict.fromkeys(["0.333333", "1.0"], one)}
    }
    text = page(CellResult(result.record, METRICS, evidence))
    text.encode()
    reader = Reader(text)
    assert not reader.found.get("script")
    assert not {"\x00", "\u202e"} & set(text)
    shown = r'a"><script>alert(1)</script>\x00\u202e'
    assert {cell["data-name"] for cell in reader.found["td"] if "data-name" in cell} >= {shown, "share"}
    assert {f"By {shown}", *names[:3], r"\udce9", names[4], "0.333", "1"} <= set(reader.text)


def test_labels_in_doubt_and_what_people_said_are_shown(result):
    labels = LabelSummary(
        dataset="solar_cells", training_images=80, looked_at=50, label_issues=3, pairs={"<i>a</i>, likelier b": 3}
    )
    corrected = {"relabelled": 2, "confirmed": 1, "left_out": 0, "unused": 0}
    labels.folder.mkdir(parents=True)
    Image.new("RGB", (8, 8), "white").save(labels.folder / "gallery.png")
    shown = " ".join(page(result, Health(**{**HEALTH.__dict__, "labels": labels, "corrected": corrected})).split())
    assert "3 of 50 training images may have a wrong label" in shown
    assert "(the other 30 are in no cell): 3 &lt;i&gt;a&lt;/i&gt;, likelier b. All are listed in" in shown
    assert "frostline relabel solar_cells results/labels/solar_cells/label_issues.csv" in shown
    assert "By corrections/solar_cells.csv: 2 relabelled, 1 confirmed, 0 left out, 0 unused." in shown
    assert "By corrections" not in page(result)


def test_a_cells_model_card_is_on_the_page_as_html(result):
    assert "<details>" not in page(result)
    card = "# Model card\n\n## Factors\n\nA <script> is *words*.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    shown = page(replace(result, card=card))
    assert "<summary>Model card</summary>" in shown
    assert "<h3>Model card</h3>\n<h4>Factors</h4>\n<p>A &lt;script&gt; is <em>words</em>.</p>" in shown
    assert "<td>1</td>\n<td>2</td>" in shown
