"""Draw a report from figures of made-up answers: what the page must hold, however its numbers come out."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from frostline.evaluation.assessment import against_guide, assess, uncalibrated
from frostline.plots.evaluation import confusion_figure, reliability_figure, threshold_figure
from frostline.plots.gallery import gallery_figure, heat_figure
from frostline.plots.study import study_figures
from frostline.records.label_summary import LabelSummary
from frostline.records.train_record import TrainRecord
from frostline.report.health import Health
from frostline.report.page import render
from frostline.report.results import CellResult

RNG = np.random.default_rng(1)
CLASSES = ("defective", "functional")


def draw(fields: dict[str, Any]) -> str:
    """The page of one cell with this train record; its figures go into the current folder."""
    labels = RNG.integers(0, 2, 200)
    index = pd.DataFrame(
        {"group": np.arange(200).astype(str), "cell_type": np.where(np.arange(200) % 2, "mono", "poly")}
    )
    found, guided = answers(labels, 2.0), answers(labels, 1.0)
    record = TrainRecord.model_validate(fields)
    assessed = assess(index, labels, found, CLASSES, record.best.temperature, seed=1)
    metrics = assessed.metrics | {"guide": against_guide(index, labels, found, guided, seed=1), "megabytes": 30.1}
    result = CellResult(record, metrics, assessed.evidence | {"serving": None})
    images = RNG.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    heat = RNG.random((8, 6, 6)).astype(np.float32)
    captions = ["defective 97%\nis functional"] * 8
    history = [{"validation_loss": 0.6, "validation_balanced_accuracy": 0.8}]
    trials = pd.DataFrame(
        {
            "trial": [1, 2, 3],
            "group": ["heads", "all blocks", "heads"],
            "blocks": ["5", "5", "3,4"],
            "members": "",
            "freeze_depth": [5, 0, 4],
            "value": [0.7, 0.6, 0.8],
            "standard_error": [0.02, 0.03, 0.02],
            "state": ["complete", "pruned", "complete"],
        }
    )
    drawn = {
        result.model: study_figures(trials, {"keep": 0.7, "reads": 0.3}, history, record.groups),
        result.evaluation: {
            "confusion.png": confusion_figure(assessed.evidence["confusion_matrix"], CLASSES),
            "reliability.png": reliability_figure(labels, uncalibrated(found, 1.25), found),
            "thresholds.png": threshold_figure(labels, found, CLASSES),
            "mistakes.png": gallery_figure(images, captions, "Mistakes, the most certain first"),
            "gradcam.png": heat_figure(images, heat, captions, np.arange(8) > 3, "Where it looked"),
        },
    }
    labels = LabelSummary(
        dataset="solar_cells",
        training_images=1968,
        looked_at=800,
        label_issues=37,
        pairs={"defective, likelier functional": 21, "functional, likelier defective": 16},
    )
    doubtful = ["labelled defective\nfunctional 97%"] * 8
    drawn[labels.folder] = {"gallery.png": gallery_figure(images, doubtful, "Labels that may be wrong")}
    for folder, figures in drawn.items():
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            figure.savefig(folder / name)
    health = Health(
        "solar_cells",
        2624,
        {name: {"train": 984, "test": 328} for name in CLASSES},
        {"truncated": 2},
        3,
        {"count": 104, "images": 255, "largest": 8},
        0,
        {"relabelled": 12, "confirmed": 4, "left_out": 1, "unused": 0},
        labels,
    )
    lineage = {"version.frostline": "0", "git_commit": "c" * 40, "dvc_lock": "d" * 64}
    profile = {"solar_cells-vgg16": result.model / "trials.png"}
    return render([result], [health], profile, lineage, "http://127.0.0.1:5000", datetime.now(UTC))


def answers(labels: np.ndarray, separation: float) -> np.ndarray:
    scores = 1 / (1 + np.exp(-(separation * (labels - 0.5) * 2 + RNG.standard_normal(len(labels)))))
    return np.stack([1 - scores, scores], axis=1)
