"""What a study's parent run in a real MLflow store says of its depth groups."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from frostline.records.train_record import TrainRecord
from frostline.search.logbook import log_study


@pytest.fixture
def logged(tracker, packed_cells, record_fields):
    """Log a study whose record has some fields replaced, and give its run."""
    history = [{"validation_loss": 0.5, "validation_balanced_accuracy": 0.8}]
    cell = SimpleNamespace(packed=packed_cells(16), all_rows=np.arange(4))
    outcome = SimpleNamespace(
        plan=SimpleNamespace(cell=cell),
        winner=SimpleNamespace(user_attrs={"history": history}),
        trials=pd.DataFrame({"trial": [1]}),
        figures={},
    )

    def log(**changes: object):
        parent = tracker.start("study", {})
        log_study(parent, outcome, TrainRecord.model_validate(record_fields | changes))
        return parent.read()

    return log


def test_every_depth_group_has_its_score_its_verdict_and_a_row(logged, tracker):
    run = logged()
    found = {name: value for name, value in run.data.metrics.items() if name.startswith("group_")}
    assert found == {"group_heads_score": 0.82}
    open_ = "not decided within this budget: about 9 minutes more"
    assert (run.data.tags["group_heads"], run.data.tags["group_all_blocks"]) == ("decided", open_)
    table = json.loads(Path(tracker.client.download_artifacts(run.info.run_id, "groups.json")).read_text())
    assert [dict(zip(table["columns"], row, strict=True)) for row in table["data"]] == [
        {"group": "heads", "trials": 9, "score": 0.82, "standard_error": 0.02, "decided": True, "minutes": None}
        | {"verdict": "decided"},
        {"group": "all blocks", "trials": 3, "score": None, "standard_error": None, "decided": False, "minutes": 9.0}
        | {"verdict": open_},
    ]
    assert f"is not decided for all depth groups: **all blocks**, {open_}." in run.data.tags["mlflow.note.content"]


def test_a_study_that_has_decided_every_group_says_so(logged, record_fields):
    run = logged(groups=record_fields["groups"][:1])
    assert "How deep to freeze is decided: of every depth group a trial was" in run.data.tags["mlflow.note.content"]
