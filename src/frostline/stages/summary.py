"""`frostline summary`: one table of what the last run found, and where to look further."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from frostline.errors import DataError
from frostline.params import load_config
from frostline.training.record import TrainRecord

__all__ = ["run"]


def run() -> None:
    """Print a row per cell and backbone of params.yaml, twice: what the search found, and whether the guide was right.

    Raises DataError if none was trained and evaluated yet.
    """
    config = load_config()
    guide = Table(title="Was the guide right?", header_style="bold")
    for name in ("cell", "backbone", "regime", "the guide recommends", "the search found"):
        guide.add_column(name, no_wrap=True)
    for name in ("test, guide\nbalanced acc.", "test, search\nbalanced acc.", "difference, points\n(95% interval)"):
        guide.add_column(name, justify="right", no_wrap=True)
    guide.add_column("so")
    table = Table(title="What the search found", header_style="bold")
    for name in ("cell", "backbone", "best strategy", "freeze depth", "learning rates\nhead, backbone"):
        table.add_column(name, no_wrap=True)
    for name in ("validation\nbalanced acc.", "test\nbalanced acc.", "test\naccuracy", "trials", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    experiment = ""
    for dataset in config.datasets:
        for size in config.sizes:
            for backbone in config.backbones:
                name = f"{dataset}-{size}-{backbone}"
                metrics = Path("results/evaluation") / name / "metrics.json"
                if metrics.exists() and (Path("models") / name / "train.json").exists():
                    record = TrainRecord.read(Path("models") / name)
                    experiment = record.experiment_id
                    found = json.loads(metrics.read_text())
                    table.add_row(*_row(record, found))
                    guide.add_row(*_guide_row(record, found))
    if not table.row_count:
        raise DataError("Nothing has been trained and evaluated yet: run `make repro` (or `dvc repro`) first.")
    console = Console(width=None if Console().is_terminal else 165)
    console.print(table)
    console.print(guide)
    console.print(
        "Compare runs and models:      [bold]make ui[/bold], then http://127.0.0.1:5000/#/experiments"
        f"/{experiment}?workflowType=machine_learning",
        soft_wrap=True,
    )
    console.print("Look into the Optuna studies: [bold]make dashboard[/bold]")


def _row(record: TrainRecord, metrics: dict[str, Any]) -> list[str]:
    best, trials = record.best, record.trials
    backbone_rate = f"{best.backbone_learning_rate:.1e}" if best.thaw else "frozen"
    return [
        f"{record.dataset}-{record.size}",
        record.backbone,
        best.strategy,
        f"{best.freeze_depth} of {best.keep} kept",
        f"{best.head_learning_rate:.1e}, {backbone_rate}",
        f"{record.validation.balanced_accuracy:.3f}",
        f"{metrics['balanced_accuracy']:.3f}",
        f"{metrics['accuracy']:.3f}",
        f"{trials.complete} + {trials.pruned} pruned" + (f" + {trials.failed} failed" if trials.failed else ""),
        f"{record.seconds / 60:.1f} min",
    ]


def _guide_row(record: TrainRecord, metrics: dict[str, Any]) -> list[str]:
    recommended = " or ".join(record.guide.recommended)
    row = [record.cell, record.backbone, record.guide.regime, recommended, record.best.strategy]
    if "guide" not in metrics:
        return [*row, "-", f"{metrics['balanced_accuracy']:.3f}", "-", "no trial of the guide's was completed"]
    guide = metrics["guide"]
    low, high = guide["difference_low"], guide["difference_high"]
    if record.guide.trial == record.best.trial:
        verdict = "nothing beat the guide's own"
    elif low > 0:
        verdict = "the search is better"
    elif high < 0:
        verdict = "the guide is better"
    else:
        verdict = "no clear difference"
    return [
        *row,
        f"{guide['balanced_accuracy']:.3f}",
        f"{metrics['balanced_accuracy']:.3f}",
        f"{100 * guide['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
        verdict,
    ]
