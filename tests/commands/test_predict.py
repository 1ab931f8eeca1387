"""`frostline predict` into a file: whole or not there, gone on with after a kill, by one model on one list of files."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import yaml

from frostline.commands import predict
from frostline.config.load import load_config
from frostline.errors import DataError, WriteError
from frostline.serving import labelling

PARAMS = Path(__file__).parents[2] / "params.yaml"
COUNT = 70  # three batches


@pytest.fixture(scope="module")
def champions(tmp_path_factory: pytest.TempPathFactory, cells: list[Path], crown) -> Path:
    """A folder with a champion, and a table of pictures of which one is none."""
    folder = tmp_path_factory.mktemp("project")
    params = yaml.safe_load(PARAMS.read_text())
    params["datasets"] = {"cells": {"source": "folder", "path": "images"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        crown(load_config().stores, folder / "network", "cells")
    (folder / "photos").mkdir()
    for number in range(COUNT - 1):
        shutil.copy(cells[number % len(cells)], folder / f"photos/{number:02}.png")
    (folder / "photos/bad.png").write_text("no picture")
    rows = [f"photos/{name}.png" for name in ["03", "bad", *(f"{number:02}" for number in range(COUNT - 2))]]
    (folder / "list.csv").write_text("\n".join(["image", *rows]))
    return folder


@pytest.fixture
def project(champions: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(champions)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return champions


def run(output: str = "answers.csv", form: predict.Format | None = None, place: str = "list.csv") -> bool:
    return predict.run([Path(place)], None, form, Path(output))


class Killed(Exception):
    """What ends it after some batches."""


@contextmanager
def killed_after(batches: int) -> Iterator[None]:
    original, left = labelling.predict, list(range(batches))

    def answer(*arguments):
        if not left:
            raise Killed
        left.pop()
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelling, "predict", answer)
        yield


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["answers.csv", "answers.jsonl"])
def test_after_a_kill_the_same_call_goes_on(name: str, capsys) -> None:
    assert not run(f"whole/{name}")
    assert "70 images, 1 of which could not be labelled, by frostline-cells version " in capsys.readouterr().err
    with killed_after(2), pytest.raises(Killed):
        run(name)
    assert not Path(name).exists()
    with killed_after(1):  # no more than one is left
        assert not run(name)
    assert "64 of 70 rows are there already" in capsys.readouterr().err
    assert Path(name).read_text() == Path("whole", name).read_text()
    assert not Path(f"{name}.part").exists()


@pytest.mark.usefixtures("project")
def test_rows_are_in_the_tables_order_and_both_forms_say_the_same() -> None:
    run("a.csv")
    run("a.jsonl")
    table = pd.read_csv("a.csv", keep_default_na=False)
    assert table["image"].tolist() == pd.read_csv("list.csv")["image"].tolist()
    records = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    assert [record["label"] for record in records] == table["label"].tolist()
    assert records[1]["probability"] is None
    assert records[1]["error"] == table["error"][1]
    assert records[1]["error"].startswith("unreadable")


@pytest.mark.usefixtures("project")
def test_all_labelled_is_true_and_a_file_that_is_there_is_replaced() -> None:
    Path("answers.csv").write_text("the one before")
    assert run(place="photos/0*.png")
    assert len(pd.read_csv("answers.csv")) == 10


def test_a_file_may_grow_in_the_folder_that_is_labelled(project: Path, cells: list[Path]) -> None:
    Path("grown").mkdir()
    for number in range(40):
        shutil.copy(cells[number], f"grown/{number:02}.png")
    output = str(project / "grown/answers.csv")
    with killed_after(1), pytest.raises(Killed):
        run(output, place="grown")
    for _ in range(2):
        assert run(output, place="grown")
        assert len(pd.read_csv(output)) == 40
    Path("own").mkdir()
    Path("own/answers.csv").touch()
    with pytest.raises(DataError, match=r"There is no file to label but own/answers\.csv itself"):
        run("own/answers.csv", place="own")


@pytest.mark.usefixtures("project")
def test_other_files_or_another_champion_are_refused(tmp_path, crown) -> None:
    with killed_after(1), pytest.raises(Killed):
        run("other.csv")
    with pytest.raises(
        WriteError, match=r"begun otherwise: images 70 files \(.*\) there, 10 files \(.*\) now\. Delete"
    ):
        run("other.csv", place="photos/0*.png")
    crown(load_config().stores, tmp_path / "another", "cells", seed=2)
    with pytest.raises(WriteError, match=r"model frostline-cells version 1 there, frostline-cells version 2 now"):
        run("other.csv")


@pytest.mark.usefixtures("project")
def test_a_form_that_no_file_can_grow_in_is_refused() -> None:
    with pytest.raises(DataError, match=r"answers\.txt ends in neither \.csv nor \.jsonl: rename it"):
        run("answers.txt")
    with pytest.raises(DataError, match=r"answers\.csv cannot be written as json: expected --format csv or jsonl"):
        run(form="json")
    assert not run("answers.txt", "csv")
    assert len(pd.read_csv("answers.txt")) == COUNT
