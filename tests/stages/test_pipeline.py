"""The whole pipeline with real DVC in a repository of its own, as a user with a folder of images runs it."""

import csv
import json
import shutil
import sqlite3
import subprocess
import time
from io import StringIO
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from optuna.trial import TrialState
from small_project import EFFORT, NAME, ROOT, TRIALS, command, environment, frostline, make_project, run

from frostline.planning.steps import STAGES


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, solar_cells: list[Path]) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_project(folder, solar_cells[:48])
    return folder


def finished(project: Path) -> int:
    database = project / "mlruns" / "optuna.db"
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def test_a_run_whose_dvc_is_killed_in_the_middle_of_a_study_is_resumed_by_the_same_command(project: Path) -> None:
    with (project / "killed.txt").open("w") as log:
        process = subprocess.Popen(command("dvc", "repro"), cwd=project, env=environment(), stderr=log)
    deadline = time.monotonic() + 300
    while finished(project) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.poll() is None
    process.kill()
    process.wait()
    while "Interrupted" not in (said := (project / "killed.txt").read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert said.splitlines()[-2:] == [
        "DVC, which started this command, is gone.",
        "Interrupted; finished trials are kept, and the same command resumes.",
    ]
    before = finished(project)
    assert 2 <= before < TRIALS

    again = run(project, "dvc", "repro")
    assert again.returncode == 0, again.stderr
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{project}/mlruns/optuna.db")
    trials = optuna.load_study(study_name=study.study_name, storage=f"sqlite:///{project}/mlruns/optuna.db").trials
    done = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(done) == TRIALS
    assert sorted(trial.user_attrs["trial"] for trial in done) == list(range(1, TRIALS + 1))
    record = json.loads((project / "models" / NAME / "train.json").read_text())
    assert sum(record["trials"].values()) == TRIALS


def test_every_stage_left_its_outputs(project: Path) -> None:
    quarantine = (project / "data/prepared/cells/quarantine.csv").read_text()
    assert "broken.png,unreadable" in quarantine
    profile = json.loads((project / "results/profile/cells-vgg16.json").read_text())
    assert profile["cells"]["small"]["regime"] == "small-different"
    assert (project / "results/profile/cells-vgg16.png").stat().st_size > 10_000
    metrics = json.loads((project / "results/evaluation" / NAME / "metrics.json").read_text())
    assert 0 <= metrics["balanced_accuracy"] <= 1
    assert metrics["guide"]["difference_low"] <= metrics["guide"]["difference"] <= metrics["guide"]["difference_high"]
    labels = json.loads((project / "results/labels/cells/summary.json").read_text())
    table = pd.read_csv(project / "results/labels/cells/label_issues.csv", dtype=str)
    assert labels["looked_at"] == 32
    assert len(table) == labels["label_issues"] == sum(labels["pairs"].values())
    assert (table["label"] != table["likelier"]).all()
    evidence = json.loads((project / "results/evaluation" / NAME / "evidence.json").read_text())
    assert evidence["serving"]["milliseconds"] > 0
    assert evidence["serving"]["pictures_per_second"] > 0
    shown = run(project, "dvc", "metrics", "show", "--json")
    assert "balanced_accuracy" in shown.stdout
    assert run(project, "dvc", "plots", "show").returncode == 0
    registered = json.loads((project / "results/registered/cells.json").read_text())
    assert registered["challenger"] == NAME
    page = (project / "reports/index.html").read_text()
    assert NAME in page
    assert "1 unreadable" in page
    assert (project / "reports/regimes.csv").read_text().startswith("cell,backbone,regime")


def test_mlflow_holds_the_study_with_its_trials_under_it(project: Path) -> None:
    client = MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("frostline-cells")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "frostline.study" in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    done = [run for run in children if run.info.status == "FINISHED"]
    assert len(children) == len(done) == TRIALS
    shared = {"strategy", "blocks", "keep", "thaw", "freeze_depth", "init", "pooling", "views", "test_views"}
    assert all(shared <= set(run.data.params) for run in [*done, parent])
    corrected = {name: parent.data.metrics[name] for name in ("score_low", "score_corrected", "score_high")}
    assert list(corrected.values()) == sorted(corrected.values())
    assert all({"score", "best_epoch", "seconds", "images"} <= set(run.data.metrics) for run in done)
    assert (parent.data.tags["regime"], parent.data.tags["recommendation"]) == ("small-different", "start_of_convnet")
    assert {run.data.params["views"] for run in done} <= {"identity", "crops-1"}  # the data set's own
    in_order = sorted(done, key=lambda run: int(run.data.tags["trial"]))
    assert tuple(run.data.tags["strategy"] for run in in_order[:2]) == ("end_of_convnet", "start_of_convnet")
    groups = [run.data.params["group"] for run in in_order]
    assert groups == ["heads"] * (EFFORT["heads"] + 1) + ["last block", "some blocks"]
    names = {run.info.run_name for run in runs}
    assert {
        "prepare cells",
        "preprocess cells-vgg16",
        "profile cells-vgg16",
        NAME,
        f"evaluate {NAME}",
        "labels cells",
        "register",
        "report",
    } <= names
    artifacts = {file.path for file in client.list_artifacts(parent.info.run_id)}
    figures = {"groups.png", "trials.png", "heads.png", "history.png", "importance.png"}
    assert {"trials.json", "groups.json"} | figures <= artifacts
    assert "To see freeze depth against score" in parent.data.tags["mlflow.note.content"]


def test_every_file_of_the_reference_page_is_there_with_its_columns(project: Path) -> None:
    page = (ROOT / "docs/reference/files.md").read_text()
    for place, name in {"NAME": NAME, "<data set>": "cells", "<backbone>": "vgg16"}.items():
        page = page.replace(place, name)
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    of_stages = [row for row in rows if row[1] in ("scan", "weigh", "plan", *STAGES)]
    assert len(of_stages) > 15
    for file, stage, told in of_stages:
        path = project / file.strip("`")
        assert path.exists(), f"{stage} leaves no {path}"
        if path.suffix == ".csv":
            columns = told.removesuffix(", and the source's own").replace("CLASS", "even, probability_odd").split(", ")
            assert path.read_text().splitlines()[0].split(",") == columns, file


def test_nothing_is_done_twice_and_a_learning_rate_bound_redoes_training_alone(project: Path) -> None:
    again = run(project, "dvc", "repro")
    assert again.returncode == 0
    assert "Running stage 'scan@cells'" in again.stdout
    assert "Running stage 'register@cells'" in again.stdout  # it compares the registry with the workspace
    assert "as it was registered before" in again.stdout + again.stderr
    assert "Running stage 'weigh@vgg16'" in again.stdout
    assert "Nothing that takes time is to be done." in again.stdout + again.stderr
    assert again.stdout.count("Running stage") == 4
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["search"]["head_learning_rate"] = [0.00001, 0.005]
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    assert stages_to_redo(project) == ["train@cells-small-vgg16"]


def test_a_threshold_redoes_the_profile(project: Path) -> None:
    original = (project / "params.yaml").read_text()
    params = yaml.safe_load(original)
    params["profile"]["similar_up_to"] = {"sample": 0.3}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    assert "profile@cells-vgg16" in stages_to_redo(project)
    (project / "params.yaml").write_text(original)


def stages_to_redo(project: Path) -> list[str]:
    """What DVC would run, once `frostline plan` has said how long that takes."""
    assert frostline(project, "plan").returncode == 0
    changed = json.loads(run(project, "dvc", "status", "--json").stdout)
    return [stage for stage in changed if not stage.startswith(("scan", "weigh", "plan", "register"))]


def test_the_summary_says_whether_the_guide_was_right(project: Path) -> None:
    shown = frostline(project, "summary")
    assert shown.returncode == 0
    assert "cells-small" in shown.stdout
    assert "Was the guide right?" in shown.stdout
    assert "small-different" in shown.stdout
    assert "How deep to freeze" in shown.stdout


def test_a_challenger_below_a_floor_is_refused_and_one_above_serves_until_it_is_rolled_back(project: Path) -> None:
    early = frostline(project, "predict", "images/odd")
    assert early.returncode == 1
    assert "Traceback" not in early.stderr
    refused = frostline(project, "promote", "cells")
    assert refused.returncode == 1
    assert "is refused: floor of accuracy. Nothing was moved" in refused.stderr
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["promotion"]["floors"] = {"accuracy": 0.0}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    assert "would be promoted" in frostline(project, "promote", "cells", "--dry-run").stderr
    assert frostline(project, "promote", "cells", "--why", "the first").returncode == 0
    assert "is champion already" in frostline(project, "promote", "cells").stderr
    assert "the first" in frostline(project, "history", "cells").stdout
    nowhere = frostline(project, "rollback", "cells")
    assert nowhere.returncode == 1
    assert "has no champion before this one" in nowhere.stderr


def test_the_champion_labels_files_folders_and_patterns(project: Path) -> None:
    image = next((project / "images" / "even").glob("*.png"))
    good = run(project, "frostline", "predict", str(image))  # the one that is started as a user starts it
    assert good.returncode == 0
    assert "even" in good.stdout or "odd" in good.stdout
    shutil.copy(image, project / "[bold] cell [.png")
    assert "[bold] cell [.png" in frostline(project, "predict", "[bold] cell [.png").stdout
    folder = frostline(project, "predict", "images", "--format", "csv")
    assert folder.returncode == 1  # of the broken one
    rows = pd.read_csv(StringIO(folder.stdout), keep_default_na=False)
    assert len(rows) == 49
    assert rows.loc[rows["image"].str.endswith("broken.png"), "error"].str.startswith("unreadable").all()
    assert (rows["label"] != "").sum() == 48
    pattern = frostline(project, "predict", "images/*/cell*.png", "--format", "json")
    assert pattern.returncode == 0
    assert {row["label"] for row in json.loads(pattern.stdout)} <= {"even", "odd"}
    nothing = frostline(project, "predict", "images/*.gif")
    assert nothing.returncode == 1
    assert "images/*.gif holds or matches no file" in nothing.stderr


def test_served_exported_and_evaluated_predictions_are_the_same(project: Path) -> None:
    evaluated = pd.read_csv(project / "results/evaluation" / NAME / "predictions.csv").set_index("image")
    files = [f"images/{image}" for image in evaluated.index]
    served = pd.read_csv(StringIO(frostline(project, "predict", *files, "--format", "csv").stdout))
    columns = ["probability_even", "probability_odd"]
    np.testing.assert_allclose(served[columns], evaluated[columns], atol=1e-3)
    assert served["label"].tolist() == evaluated["predicted"].tolist()
    np.testing.assert_allclose(served["strangeness"], evaluated["strangeness"], rtol=1e-2)
    assert served["known"].tolist() == (served["strangeness"] <= 1).tolist()
    exported = frostline(project, "export", "--format", "keras", "--output", "out/champion.keras")
    assert exported.returncode == 0, exported.stderr
    assert f"of {len(files)} test images 100.0% get the same label" in exported.stderr
    assert json.loads((project / "out/champion.keras.json").read_text())["agreement"]["loss"]["value"] == 0
    assert (project / "out/champion.keras").stat().st_size > 10**6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "cells", "smal", "vgg16"), "No size is called 'smal'.*Did you mean 'small'?"),
        (("prepare", "cats"), "No data set is called 'cats'"),
        (("promote", "cats"), "No data set is called 'cats'"),
        (("history", "cats"), "No data set is called 'cats'"),
        (("serve", "--dataset", "cats"), "No data set is called 'cats'"),
        (("evaluate", "cells", "small", "vgg61"), "vgg61"),
    ],
)
def test_mistakes_on_the_command_line_are_one_clear_error(
    project: Path, arguments: tuple[str, ...], message: str
) -> None:
    import re

    answer = frostline(project, *arguments)
    assert answer.returncode == 1
    assert re.search(message, answer.stderr)
    assert "Traceback" not in answer.stderr


def test_an_experiment_is_compared_with_what_was_committed(project: Path) -> None:
    shutil.copy(ROOT / ".gitignore", project)
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "first"], cwd=project, check=True)
    fewer = ("-S", "search.effort.thawed=1", "register@cells")  # without the report
    ran = run(project, "dvc", "exp", "run", "--name", "less", *fewer)
    assert ran.returncode == 0, ran.stderr
    assert "Trained before in the same way" in ran.stderr + ran.stdout  # another study, the same last block
    (shown,) = [
        row
        for row in csv.DictReader(StringIO(run(project, "dvc", "exp", "show", "--csv").stdout))
        if row["Experiment"] == "less"
    ]
    assert shown["params.yaml:search.effort.thawed"] == "1"  # data/settings.yaml holds it, too
    assert 0 <= float(shown["balanced_accuracy"]) <= 1
    compared = json.loads(run(project, "dvc", "metrics", "diff", "--all", "--json").stdout)
    assert {"old", "new"} <= set(compared[f"results/evaluation/{NAME}/metrics.json"]["balanced_accuracy"])
    params = json.loads(run(project, "dvc", "params", "diff", "--json").stdout)["params.yaml"]
    assert params["search.effort.thawed"] == {"old": 2, "new": 1, "diff": -1}
    assert run(project, "dvc", "plots", "diff").returncode == 0


def test_parameters_set_back_make_the_earlier_model_the_challenger_again(project: Path) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    original = yaml.safe_load((ROOT / "params.yaml").read_text())["search"]
    params["search"] |= {"head_learning_rate": original["head_learning_rate"], "effort": EFFORT}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    back = run(project, "dvc", "repro")
    assert back.returncode == 0, back.stderr
    assert "train@cells-small-vgg16' is cached" in back.stdout  # DVC restores what it can ...
    assert "Running stage 'register@cells'" in back.stdout  # ... but the alias is the registry's
    recorded = json.loads((project / "results" / "registered" / "cells.json").read_text())
    client = MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    challenger = client.get_model_version_by_alias("frostline-cells", "challenger")
    assert str(challenger.version) == recorded["version"]
