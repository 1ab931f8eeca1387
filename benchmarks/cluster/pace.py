"""How long trials take: the measured durations of a default study, and what follows from them for others."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from frostline.records.train_record import TrainRecord
from frostline.search.trials import COST

from ..measuring import machine

FILE = "cluster-durations.csv"


@dataclass(frozen=True)
class Pace:
    """Seconds of the heads of a study, by their place in it, and seconds of an image through every block."""

    heads: tuple[float, ...]
    of_image: float

    @classmethod
    def of(cls, durations: pd.DataFrame, images: int) -> Self:
        """For a cell of so many images: the heads of the measured cell whose number is nearest, and all thawed trials.

        By ratio, as heads take longer with more images; what thaws blocks is counted in images anyhow.
        """
        apart = {each: max(each / images, images / each) for each in durations["cell_images"].unique()}
        near = durations["cell_images"] == min(apart, key=apart.__getitem__)
        thawed = durations[durations[COST] > 0]
        heads = durations.loc[near & (durations["group"] == "heads") & (durations["blocks"] != "ensemble"), "seconds"]
        return cls(tuple(heads), float(thawed["seconds"].sum() / thawed[COST].sum()))

    def of_head(self, number: int) -> float:
        """Of the head that is trial `number`, from 1; where the measured study had fewer, it begins again."""
        return self.heads[(number - 1) % len(self.heads)]


def measured(models: Path) -> pd.DataFrame:
    """A row a trial of the studies in the folders of `models`, which `dvc repro` fills. The driver makes ensembles."""
    rows: list[dict[str, object]] = []
    for folder in sorted(path.parent for path in models.glob("*/study.json")):
        record = TrainRecord.read(folder)
        known = {"cell": record.cell, "cell_images": record.images}
        for trial in json.loads((folder / "study.json").read_text(encoding="utf-8")):
            row = known | {name: trial[name] for name in ("trial", "group", "state", "epochs", COST, "seconds")}
            rows.append(row | {"blocks": "ensemble" if trial["members"] else trial["blocks"]})
    if not rows:
        raise SystemExit(f"{models} holds no finished study: dvc repro makes them.")
    facts = machine()
    del facts["frostline"]  # it is that of this process, not of the studies
    return pd.DataFrame(rows).round(3).assign(**facts)
