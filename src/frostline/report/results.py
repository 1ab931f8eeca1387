"""What each cell came to: its study's winner, the test, and whether the guide was right."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from frostline.config.schema import Config
from frostline.errors import ArtifactError
from frostline.files.outputs import output_of
from frostline.records.names import model_name
from frostline.records.train_record import TrainRecord

__all__ = ["CellResult", "read_result", "read_results", "regime_table"]

_MODELS, _EVALUATIONS = Path("models"), Path("results/evaluation")
_NEEDED = {"metrics": ("balanced_accuracy",), "evidence": ("intervals", "calibration", "slices")}


@dataclass(frozen=True)
class CellResult:
    """A trained and evaluated cell: the record of its training, `metrics.json`, `evidence.json`, and its model card."""

    record: TrainRecord
    metrics: dict[str, Any]
    evidence: dict[str, Any]
    card: str = ""

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return _MODELS / self.record.name

    @property
    def evaluation(self) -> Path:
        """The folder of the evaluation."""
        return _EVALUATIONS / self.record.name

    @property
    def guide(self) -> dict[str, float] | None:
        """What following the guide would have given; None if none of its trials was trained."""
        return self.metrics.get("guide")

    @property
    def verdict(self) -> str:
        """Whether the guide was right."""
        if self.guide is None:
            return "no trial of the guide's was trained"
        if self.record.guide.trial == self.record.best.trial:
            return "nothing beat the guide's own"
        short = "" if self.record.guide.complete else "; the guide's was not trained to its end"
        if self.guide["difference_low"] > 0:
            return f"the search is better{short}"
        return ("the guide is better" if self.guide["difference_high"] < 0 else "no clear difference") + short


def read_results(config: Config) -> list[CellResult]:
    """The cells of params.yaml that were trained and evaluated. Raises ArtifactError if there is none."""
    names = [
        model_name(dataset, size, backbone)
        for dataset in config.datasets
        for size in config.sizes
        for backbone in config.backbones
    ]
    found = [
        read_result(name)
        for name in names
        if (_MODELS / name / "train.json").exists() and (_EVALUATIONS / name / "evidence.json").exists()
    ]
    if not found:
        raise ArtifactError("Nothing has been trained and evaluated yet: run `dvc repro` first.")
    return found


def read_result(name: str) -> CellResult:
    """The cell whose model is called `name`. Raises ArtifactError if it was not trained and evaluated."""
    return CellResult(TrainRecord.read(_MODELS / name), _read(name, "metrics"), _read(name, "evidence"))


def _read(name: str, part: str) -> dict[str, Any]:
    path = _EVALUATIONS / name / f"{part}.json"
    with output_of("evaluate", path):
        numbers = json.loads(path.read_text(encoding="utf-8"))
        return {key: numbers[key] for key in (*_NEEDED[part], *numbers)}


def regime_table(results: list[CellResult]) -> pd.DataFrame:
    """A row per cell and backbone: the guide against the search, in balanced accuracy on the test images."""
    return pd.DataFrame(
        [
            {
                "cell": result.record.cell,
                "backbone": result.record.backbone,
                "regime": result.record.guide.regime,
                "guide": " or ".join(result.record.guide.recommended),
                "found": result.record.best.strategy,
                "keep": result.record.best.settings.keep,
                "freeze_depth": result.record.best.settings.freeze_depth,
                "blocks": ",".join(map(str, result.record.best.settings.blocks)),
                "test_views": result.record.best.settings.test_views,
                "validation": result.record.validation.corrected.value,
                "validation_low": result.record.validation.corrected.low,
                "validation_high": result.record.validation.corrected.high,
                "test": result.metrics["balanced_accuracy"],
                "test_low": result.evidence["intervals"]["balanced_accuracy"]["low"],
                "test_high": result.evidence["intervals"]["balanced_accuracy"]["high"],
                "guide_test": (result.guide or {}).get("balanced_accuracy"),
                "difference": (result.guide or {}).get("difference"),
                "difference_low": (result.guide or {}).get("difference_low"),
                "difference_high": (result.guide or {}).get("difference_high"),
                "verdict": result.verdict,
                "undecided": "; ".join(group.group for group in result.record.undecided),
            }
            for result in results
        ]
    )
