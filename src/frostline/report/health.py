"""The health of a data set, from what `prepare` wrote."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.data.manifest import read_manifest
from frostline.files.outputs import output_of
from frostline.records.label_summary import LabelSummary

__all__ = ["Health", "read_health"]


@dataclass(frozen=True)
class Health:
    """Counts of a data set. `classes` has images by split; `divided` counts groups of near duplicates in two splits.

    `corrected` counts the images about which a person has said something, `labels` the labels in doubt; None where the
    stage `labels` has not run.
    """

    name: str
    images: int
    classes: dict[str, dict[str, int]]
    quarantined: dict[str, int]
    duplicates: int
    groups: dict[str, int]
    divided: int
    corrected: dict[str, int]
    labels: LabelSummary | None

    @property
    def splits(self) -> list[str]:
        """The splits that any class has images in, training first."""
        return sorted({split for counts in self.classes.values() for split in counts}, reverse=True)


def read_health(name: str) -> Health:
    """Read the card and the manifest of the data set called `name`. Raises ArtifactError if there are none."""
    folder = Path("data/prepared") / name
    manifest = read_manifest(folder / "manifest.csv")
    with output_of("prepare", folder / "card.json"):
        card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        return Health(
            name=name,
            labels=LabelSummary.read(name),
            divided=int((manifest.groupby("group")["split"].nunique() > 1).sum()),
            **{key: card[key] for key in ("images", "classes", "quarantined", "duplicates", "groups", "corrected")},
        )
