"""A dozen hostile class names at once, from a CSV file through every stage to a served label and the report."""

import csv
import io
import json
import os
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from frostline.commands import predict, promote, summary
from frostline.runtime import terminal
from frostline.stages import evaluate, prepare, preprocess, profile, register, report, train

PARAMS = Path(__file__).parents[2] / "params.yaml"
NAME = "signs-small-vgg16"
CLASSES = (
    *("$a$b$", ".", "..", "x" * 240, "a/b", "a_b", "_x", "漢字", "العربية", "=1+1", "[red]r :smile:", "<b>h</b>"),
    *("label", "Dog", "dog", "cr\rhere", "two\nlines\t\x1b[2J\u202e"),
)
EACH = 4


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, solar_cells: list[Path]):
    """A finished run over `CLASSES`, in the current folder."""
    folder = tmp_path_factory.mktemp("signs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        rows = []
        for number, file in enumerate(solar_cells[: EACH * len(CLASSES)]):
            shutil.copy(file, folder)
            split = "test" if number % EACH == 0 else "train"
            rows.append([file.name, CLASSES[number // EACH], split, f"2024010{number // EACH % 2}", "=1 <i>"])
        with Path("signs.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["image", "label", "split", 'day "<i>', "constant"], *rows])
        params = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
        params["datasets"] = {"signs": {"source": "csv", "path": "signs.csv"}}
        params["sizes"] = {"small": 3}
        params["backbones"]["vgg16"]["image_size"] = 32
        params["prepare"] |= {"min_images_per_class": 2, "near_duplicate_bits": 0}
        params["train"] |= {"epochs": 1}
        params["search"] |= {
            "effort": {"heads": 1, "thawed": 0, "images": 0},
            "strategies": ["end_of_convnet"],
            "views": ["identity"],
        }
        params["promotion"]["floors"] = {}
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        prepare.run("signs")
        preprocess.run("signs", "vgg16")
        profile.run("signs", "vgg16")
        train.run("signs", "small", "vgg16")
        evaluate.run("signs", "small", "vgg16")
        register.run("signs")
        assert promote.run("signs", "*because* \x1b[2J [red] <b>", dry_run=False)
        report.run()
        yield folder


def test_every_class_has_metrics_of_its_own_in_mlflow(project: Path) -> None:
    client = MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    (run,) = [
        run
        for run in client.search_runs([client.get_experiment_by_name("frostline-signs").experiment_id])
        if run.info.run_name == f"evaluate {NAME}"
    ]
    recalls = {name for name in run.data.metrics if name.startswith("test_recall/")}
    assert len(recalls) == len(CLASSES)
    assert {"test_recall/a_b", "test_recall/label", "test_recall/漢字", "test_recall/_x"} <= recalls
    model = client.get_registered_model("frostline-signs")
    assert r"\*because\* \\x1b\[2J \[red\] \<b\>" in model.description


def test_files_that_programs_read_hold_every_name_as_it_is(project: Path) -> None:
    folder = project / "results/evaluation" / NAME
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["actual"] for row in rows} == set(CLASSES)
    columns = {"image", "group", "actual", "predicted", "strangeness"}
    assert set(rows[0]) == columns | {f"probability_{name}" for name in CLASSES}
    evidence = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
    assert set(evidence["per_class"]) == set(CLASSES)
    assert set(evidence["slices"]) == {'day "<i>'}


def test_the_report_shows_every_name_as_text(project: Path) -> None:
    class Reader(HTMLParser):
        def __init__(self, page: str) -> None:
            super().__init__()
            self.tags: set[str] = set()
            self.text: list[str] = []
            self.feed(page)

        def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
            self.tags.add(tag)

        def handle_data(self, data: str) -> None:
            self.text.append(data)

    reader = Reader((project / "reports/index.html").read_text(encoding="utf-8"))
    shown = {name for name in CLASSES if name.isprintable()} | {r"cr\rhere", r"two\nlines\t\x1b[2J\u202e"}
    assert shown | {"20240100", "20240101"} <= set(reader.text)
    assert not {"script", "i"} & reader.tags


def test_pictures_whose_names_no_table_takes_are_labelled_beside_the_others(
    project: Path, solar_cells: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    new = Path("new")
    new.mkdir()
    shutil.copy(solar_cells[0], "=1+1.png")
    for name in (b"caf\xe9.png", "[red] :smile: ü 漢字.png", "a\nb\x1b[2J.png", "plain.png"):
        shutil.copy(solar_cells[0], new / os.fsdecode(name))
    printed = {}
    for form in ("csv", "json", "table"):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", newline=""))
        terminal.set_up()
        assert predict.run([new, Path("=1+1.png")], None, form)
        sys.stdout.flush()
        printed[form] = raw.getvalue().decode("ascii")
    rows = json.loads(printed["json"])
    assert len(rows) == 5
    assert {row["label"] for row in rows} <= set(CLASSES)
    columns = {"image", "label", "probability", "known", "strangeness", "error"}
    assert {f"probability_{name}" for name in CLASSES} | columns == set(rows[0])
    assert {row["image"] for row in rows} >= {
        r"new/caf\udce9.png",
        "new/[red] :smile: ü 漢字.png",
        "new/a\nb\x1b[2J.png",
    }
    table = pd.read_csv(io.StringIO(printed["csv"]), keep_default_na=False)
    assert len(table) == 5
    assert {r"new/[red] :smile: \xfc \u6f22\u5b57.png", "'=1+1.png"} <= set(table["image"])
    for name in (r"caf\udce9.png", "=1+1.png", r"[red] :smile: \xfc", r"a\nb\x1b[2J.png", "plain.png"):
        assert name in printed["table"]


def test_what_people_read_on_a_terminal_obeys_no_name(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    promote.history("signs")
    summary.run()
    out = capsys.readouterr().out
    assert r"*because* \x1b[2J [red] <b>" in out
    assert "\x1b" not in out
