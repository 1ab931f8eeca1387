"""`frostline relabel`: a table comes back from a person, and `prepare` does what it says."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from frostline.commands import relabel
from frostline.data.manifest import read_corrected, read_manifest
from frostline.errors import ArtifactError, DataError
from frostline.files.spreadsheet import csv_text
from frostline.stages import prepare, scan

PARAMS = Path(__file__).parents[2] / "params.yaml"
PREPARED = Path("data/prepared/cells")
CLASSES = {"a": range(100, 112), "b": range(1700, 1712), "007": range(2400, 2412), "=c": range(2500, 2512)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, solar_cells: list[Path]) -> Path:
    """A project whose images are prepared: three classes of twelve solar cells."""
    folder = tmp_path_factory.mktemp("prepared")
    params = yaml.safe_load(PARAMS.read_text())
    params["datasets"] = {"cells": {"source": "folder", "path": "images"}}
    params["prepare"]["min_images_per_class"] = 5
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    for label, numbers in CLASSES.items():
        (folder / "images" / label).mkdir(parents=True)
        for number in numbers:
            shutil.copy(solar_cells[number], folder / "images" / label)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        scan.run("cells")
        prepare.run("cells")
    return folder


@pytest.fixture
def project(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(prepared, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "project"


def images(label: str, split: str = "train") -> list[str]:
    manifest = read_manifest(PREPARED / "manifest.csv")
    return manifest["image"][(manifest["label"] == label) & (manifest["split"] == split)].tolist()


def said(text: str) -> Path:
    Path("said.csv").write_text(text)
    return Path("said.csv")


def state() -> str:
    scan.run("cells")
    return Path("data/sources/cells.json").read_text()


@pytest.mark.usefixtures("project")
def test_prepare_does_what_a_person_said_and_records_it(capsys: pytest.CaptureFixture[str]) -> None:
    wrong, right, useless, *_ = images("a")
    tested = images("b", "test")[0]
    before = state()
    rows = [f"{wrong};a; 007 ", f"{right};a;a", f"{useless};a;Leave out", f"{tested};b;a", f"{images('b')[0]};b;"]
    relabel.run("cells", said("\n".join(["Image;label;Correct", *rows]) + "\n"))
    told = capsys.readouterr().err
    assert "corrections/cells.csv: 4 pictures (1 confirmed, 1 left out, 2 relabelled). Keep the file in git" in told
    assert "1 of them in the test split" in told
    assert state() != before  # so that DVC prepares again

    prepare.run("cells")
    assert "by corrections/cells.csv: 2 relabelled, 1 confirmed, 1 left out, 0 unused" in capsys.readouterr().err
    labels = read_manifest(PREPARED / "manifest.csv").set_index("image")["label"]
    assert (labels[wrong], labels[right], labels[tested]) == ("007", "a", "a")
    assert useless not in labels
    assert read_corrected(PREPARED).set_index("image")["given"].to_dict() == {
        wrong: "a",
        right: "a",
        useless: "a",
        tested: "b",
    }
    quarantine = pd.read_csv(PREPARED / "quarantine.csv").set_index("image")
    assert quarantine.loc[useless, ["reason", "detail"]].tolist() == ["left_out", "by corrections/cells.csv"]
    card = json.loads((PREPARED / "card.json").read_text())
    assert card["corrected"] == {"relabelled": 2, "confirmed": 1, "left_out": 1, "unused": 0}


@pytest.mark.usefixtures("project")
def test_names_that_a_spreadsheet_would_run_come_back_as_they_are_written_for_people() -> None:
    image, other = images("=c")[0], images("a")[0]
    table = csv_text(pd.DataFrame({"image": [image, other], "correct": ["a", "=c"]}), for_people=True)
    assert "'=c" in table
    relabel.run("cells", said(table))
    assert pd.read_csv("corrections/cells.csv", dtype=str).set_index("image")["label"].to_dict() == {
        image: "a",
        other: "=c",
    }


@pytest.mark.usefixtures("project")
def test_a_second_table_adds_to_the_first_and_takes_back_what_it_said() -> None:
    first, second, useless, *_ = images("a")
    relabel.run("cells", said(f"image,correct\n{first},b\n{useless},leave out\n"))
    prepare.run("cells")
    relabel.run("cells", said(f"image,correct\n{first},a\n{useless},a\n{second},b\n"))
    prepare.run("cells")
    labels = read_manifest(PREPARED / "manifest.csv").set_index("image")["label"]
    assert labels[[first, second, useless]].tolist() == ["a", "b", "a"]
    given = pd.read_csv("corrections/cells.csv", dtype=str)["given"]
    assert Counter(given) == {"a": 3}  # by the source, not by the first table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "picture,correct\n{0},b\n",
            "said.csv must have one column image and one column correct.*received picture, correct",
        ),
        ("image,correct,correct\n{0},b,b\n", "must have one column image and one column correct"),
        ("", "received an empty file"),
        ("image,correct\n{0},\n", "column correct of said.csv is empty. Fill in the right class"),
        ("image,correct\n{0},B\n", "line 2, has the class 'B', which the data set does not have.*or: leave out"),
        ("image,correct\n{0},7\n", "line 2, has the class '7'.* Known: 007, =c, a, b"),
        ("image,correct\nx.png,b\n", "line 2, names the picture x.png, which is not in the prepared data set"),
        ("image,correct\n{0},b\n{0},a\n", "line 3, says 'a' of .*, but a line before says 'b'"),
    ],
)
@pytest.mark.usefixtures("project")
def test_what_cannot_be_meant_is_one_error_and_nothing_changes(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        relabel.run("cells", said(text.format(images("a")[0])))
    assert not Path("corrections").exists()


@pytest.mark.usefixtures("project")
def test_without_a_table_or_a_prepared_data_set_that_is_said() -> None:
    with pytest.raises(DataError, match=r"There is no table nowhere\.csv\. Expected a CSV file with the columns image"):
        relabel.run("cells", Path("nowhere.csv"))
    shutil.rmtree(PREPARED)
    with pytest.raises(ArtifactError, match=r"manifest\.csv does not exist. Make it with: dvc repro"):
        relabel.run("cells", said("image,correct\nx.png,b\n"))
