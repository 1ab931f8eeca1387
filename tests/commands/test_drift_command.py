"""`frostline drift` with a real champion, which carries its answers to test images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from frostline.backbones.readout import compress
from frostline.backbones.tapped import tap
from frostline.cli import main
from frostline.commands import predict
from frostline.config.load import load_config
from frostline.errors import DataError, RegistryError
from frostline.records.familiarity import Familiarity
from frostline.registry.models import label, read, register_challenger
from frostline.registry.package import Candidate, open_unregistered
from frostline.statistics.familiar import fit_familiar
from frostline.tracking.runs import Tracker

PARAMS = Path(__file__).parents[2] / "params.yaml"
REFERENCE, PICTURES = 150, 80


@pytest.fixture(scope="module")
def drifting(tmp_path_factory, cells, crown, make_network, make_record, limits) -> Path:
    """A project whose champion of `cells` carries answers, and that of `older` none; pictures alike, dark and few."""
    folder = tmp_path_factory.mktemp("drifting")
    params = yaml.safe_load(PARAMS.read_text())
    params["datasets"] = {name: {"source": "folder", "path": "images"} for name in ("cells", "older")}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    files = np.random.default_rng(1).permutation(sorted(cells[0].parent.glob("*.png")))[: REFERENCE + PICTURES]
    for name in ("alike", "dark"):
        (folder / name).mkdir()
    for number, file in enumerate(files[REFERENCE:]):
        shutil.copy(file, folder / f"alike/{number:02}.png")
        Image.open(file).point(lambda value: value // 2).save(folder / f"dark/{number:02}.png")
    (folder / "alike/bad.png").write_text("no picture")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        crown(load_config().stores, folder / "older", "older")
        tracker = Tracker.open(load_config().stores, "cells")
        network = make_network(folder / "network", 1)
        record = make_record(network, tracker.start("study", {}).id, dataset="cells")
        unanswered = Candidate(record, folder / "network", limits)
        write_familiarity(unanswered, files[:REFERENCE])
        answers = label(open_unregistered(unanswered), files[:REFERENCE], [read(file) for file in files[:REFERENCE]])
        answers.assign(group=answers["image"]).to_csv(folder / "predictions.csv", index=False)
        candidate = Candidate(record, folder / "network", limits, answers=folder / "predictions.csv")
        version = register_challenger(tracker, candidate)
        tracker.client.set_registered_model_alias(version.name, "champion", version.version)
    return folder


def write_familiarity(candidate: Candidate, files: list[Path]) -> None:
    import keras

    decode = open_unregistered(candidate).decode
    network = keras.saving.load_model(candidate.folder / "model.keras", compile=False)
    images = np.stack([decode(file.read_bytes()) for file in files])
    vectors = compress(np.asarray(tap(network, "average_pooling2d").predict_on_batch(images)))
    fold = np.arange(len(files)) % 5
    places = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(5)]
    familiar = fit_familiar(vectors, np.zeros(len(files), dtype=np.int64), places)
    Familiarity("average_pooling2d", familiar).write(candidate.folder)


@pytest.fixture
def project(drifting: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(drifting)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return drifting


def drift(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit status of `frostline drift`."""
    monkeypatch.setattr("sys.argv", ["frostline", "drift", *arguments, "--dataset", "cells"])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.usefixtures("project")
def test_pictures_of_the_same_source_are_no_drift(monkeypatch, capsys) -> None:
    assert drift(monkeypatch, "alike") == 0
    said = capsys.readouterr()
    assert "80 pictures against 150 test images, by frostline-cells version 1" in said.out
    assert "strangeness" in said.out
    assert "1 picture of 81 could not be labelled, and do not count." in said.err
    assert "No drift is seen in 80 pictures." in said.err


@pytest.mark.usefixtures("project")
def test_other_pictures_are_told_to_people_and_programs(monkeypatch, capsys) -> None:
    assert drift(monkeypatch, "dark") == 3
    people = capsys.readouterr()
    assert "Drift: other pictures than the test images (" in people.err
    assert "p beyond other shares" in people.out
    assert drift(monkeypatch, "dark", "--format", "json") == 3
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == {"name": "frostline-cells", "version": "1"}
    assert (told["verdict"], told["pictures"], told["reference"]) == ("other pictures", 80, 150)
    assert "strangeness" in told["because"]
    assert {quantity["name"]: quantity for quantity in told["quantities"]}["strangeness"]["distance"]["low"] > 0


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["answers.csv", "answers.jsonl"])
def test_answers_that_predict_has_written_say_the_same(name: str, monkeypatch, capsys) -> None:
    predict.run([Path("dark")], "cells", None, Path(name))
    assert drift(monkeypatch, "dark", "--format", "json") == 3
    labelled = json.loads(capsys.readouterr().out)
    assert drift(monkeypatch, name, "--format", "json") == 3
    assert json.loads(capsys.readouterr().out) == labelled


@pytest.mark.usefixtures("project")
def test_a_table_of_pictures_is_labelled(monkeypatch, capsys) -> None:
    Path("list.csv").write_text("\n".join(["image", *(f"dark/{number:02}.png" for number in range(60))]))
    assert drift(monkeypatch, "list.csv") == 3
    assert "60 pictures against 150 test images" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("damaged.jsonl", '{"error": ""', r"damaged\.jsonl cannot be read as a table: .*\. Write it again\."),
        ("other.jsonl", '{"error": "", "probability_cat": 1}', r"other\.jsonl does not hold answers of this champion"),
        (
            "words.csv",
            "error,probability_defective,probability_functional\n,many,few\n",
            r"words\.csv cannot be read as a table: ",
        ),
        (
            "few.csv",
            "error,probability_defective,probability_functional\n,0.5,0.5\nunreadable,,\n",
            r"1 picture got a label: 50 at least are needed\. Name more pictures\.",
        ),
    ],
)
def test_a_table_that_is_no_use_is_one_clear_error(name: str, content: str, message: str) -> None:
    from frostline.commands import drift as command

    Path(name).write_text(content)
    with pytest.raises(DataError, match=message):
        command.run([Path(name)], "cells", "table", 0.01)


@pytest.mark.usefixtures("project")
def test_what_cannot_be_found_out_is_one_clear_error() -> None:
    from frostline.commands import drift as command

    with pytest.raises(DataError, match=r"There are 2 files: 50 pictures at least are needed\. Name more\."):
        command.run([Path("dark/01.png"), Path("dark/02.png")], "cells", "table", 0.01)
    with pytest.raises(RegistryError, match=r"frostline-older version 1 carries no answers to test images, .*promote"):
        command.run([Path("dark")], "older", "table", 0.01)


def test_a_version_gives_its_answers_to_test_images(project: Path) -> None:
    from frostline.registry.models import load_champion

    champion = load_champion(Tracker.open(load_config().stores, "cells"), "cells")
    written = pd.read_csv(project / "predictions.csv")
    found = champion.test_answers
    np.testing.assert_allclose(found.strangeness, written["strangeness"])
    np.testing.assert_allclose(found.probabilities[:, 0], written["probability_defective"])
