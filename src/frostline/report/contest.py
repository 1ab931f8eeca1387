"""What a study tried, and what won by how much, from its `study.json`."""

import json
from collections import Counter
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from frostline.files.outputs import output_of

__all__ = ["Contest", "Contestant", "read_contest"]


@dataclass(frozen=True)
class Contestant:
    """A trial, and its Brier score in validation: the lower, the better."""

    trial: int
    strategy: str
    brier_score: float


@dataclass(frozen=True)
class Contest:
    """How many trials had heads on frozen blocks (`heads`), how many thawed blocks, and on how many images, counted as
    if through every block, the latter trained; how many there were of each strategy; and the best of the others than
    the winner, None if no other was completed.
    """

    heads: int
    thawed: int
    images: int
    strategies: dict[str, int]
    winner: Contestant
    second: Contestant | None


def read_contest(model: Path, winner: int) -> Contest:
    """The contest that trial `winner` won, of the study behind the folder `model`. Raises ArtifactError."""
    file = model / "study.json"
    with output_of("train", file):
        trials = json.loads(file.read_text(encoding="utf-8"))
        complete = [trial for trial in trials if trial["state"] == "complete"]
        ranked = [
            Contestant(trial["trial"], trial["strategy"], trial["validation_brier_score"])
            for trial in sorted(complete, key=lambda trial: trial["validation_brier_score"])
        ]
        by_trial = {each.trial: each for each in ranked}
        images = [float(trial["images"] or 0) for trial in trials]
        heads = sum(trial["thaw"] == 0 for trial in trials)
        return Contest(
            heads=heads,
            thawed=len(trials) - heads,
            images=round(sum(filter(isfinite, images))),
            strategies=dict(Counter(trial["strategy"] for trial in trials)),
            winner=by_trial[winner],
            second=next((each for each in ranked if each.trial != winner), None),
        )
