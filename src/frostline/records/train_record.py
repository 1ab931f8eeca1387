"""`train.json`: what the stage `train` leaves about a study's winner for the stages after it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from frostline.config.frozen import Frozen
from frostline.config.types import PerClass, Resize
from frostline.data.levels import Levels
from frostline.data.views import views_of
from frostline.files.atomic import atomic_file
from frostline.files.outputs import output_of
from frostline.records.names import OfModel
from frostline.statistics.interval import Interval
from frostline.text.phrases import counted
from frostline.training.settings import DepthGroup, TrialSettings, group_of

__all__ = [
    "TRAINING_IMAGES",
    "Best",
    "Fingerprints",
    "GroupResult",
    "GuideTrial",
    "TrainRecord",
    "TrialCounts",
    "ValidationScore",
    "best_of_largest",
    "of_largest",
    "read_training_images",
    "write_training_images",
]

TRAINING_IMAGES = "training_images.txt"
"""The file beside `train.json` that lists the pictures that the model was trained on."""

_FILE = "train.json"


class Best(Frozen):
    """The winning trial, counted from 1, its settings, and the epochs that the refit trained for.

    `temperature` is what the logits are divided by, in the weights of the head: see `statistics.temperature`.
    """

    trial: int
    strategy: str
    settings: TrialSettings
    epochs: int
    temperature: float

    @property
    def group(self) -> DepthGroup:
        """The depth group that it is in."""
        return group_of(self.settings)

    @property
    def reads(self) -> str:
        """What its head reads: `block 5`, or `blocks 3, 4, as the mean of 2 heads`."""
        blocks, members = self.settings.blocks, len(self.settings.members)
        mean = f", as the mean of {members} heads" if members > 1 else ""
        return f"block{'s' if len(blocks) > 1 else ''} {', '.join(map(str, blocks))}{mean}"

    @property
    def views(self) -> int:
        """How many views of an image a prediction is averaged over."""
        return len(views_of(self.settings.test_views))

    def params(self) -> dict[str, object]:
        """Strategy, depth group and settings, under the names that runs have for them."""
        return {"strategy": self.strategy, "group": self.group} | self.settings.params()


class ValidationScore(Frozen):
    """Balanced accuracy in [0, 1] on validation images, and how they were held out.

    `corrected` is what to expect of a winner that was chosen for a high one, and its 95% interval says where the score
    on the test split lies: see `statistics.chosen`.
    """

    balanced_accuracy: float
    corrected: Interval
    scheme: str


class GuideTrial(Frozen):
    """What the guide recommended for the cell: the regime, the strategies, and of their trials the best one.

    `trial` counts from 1; it is None, as `strategy`, `validation` and `settings` are, if none of those was trained.
    Records of before have no `settings`.
    `complete` says whether it was trained to its end; if not, `validation` is what it reached when the budget ended it.
    """

    regime: str
    recommended: tuple[str, ...]
    strategy: str | None
    trial: int | None
    complete: bool
    validation: float | None
    settings: TrialSettings | None = None


class GroupResult(Frozen):
    """What a study found of one depth group: see `search.groups`.

    `score` is the validation score of its best complete trial, None without one. A group is `decided` if one of its
    trials was trained until that no longer helped; if not, about so many more `minutes` would do it on this machine.
    """

    group: DepthGroup
    trials: int
    score: float | None
    standard_error: float | None
    decided: bool
    minutes: float | None

    @property
    def verdict(self) -> str:
        """Whether it is decided; if not, what that would take."""
        if self.decided:
            return "decided" if self.score is not None else "decided: not ahead of another trial on the images so far"
        if self.minutes is None:
            return "not decided within this budget"
        return f"not decided within this budget: about {counted(max(1, round(self.minutes)), 'minute')} more"

    @property
    def scored(self) -> str:
        """Its score and the standard error."""
        if self.score is None:
            return "–"
        return f"{self.score:.3f}" + (f" ± {self.standard_error:.3f}" if self.standard_error is not None else "")


class TrialCounts(Frozen):
    """How the study's trials ended."""

    complete: int
    pruned: int
    failed: int


class Fingerprints(Frozen):
    """SHA-256 identities of what the model was made from, and of its own weights."""

    data: str
    weights: str
    study: str
    model: str


class TrainRecord(OfModel, Frozen):
    """One trained model: its cell, backbone and input, the search that found it, and the MLflow run that holds it."""

    dataset: str
    size: str
    per_class: PerClass
    images: int
    backbone: str
    image_size: int
    resize: Resize
    classes: tuple[str, ...]
    levels: Levels
    best: Best
    guide: GuideTrial
    validation: ValidationScore
    trials: TrialCounts
    groups: tuple[GroupResult, ...]
    seconds: float
    run_id: str
    experiment_id: str
    study_name: str
    fingerprints: Fingerprints

    @property
    def undecided(self) -> tuple[GroupResult, ...]:
        """The depth groups that the search has not decided."""
        return tuple(group for group in self.groups if not group.decided)

    @property
    def guide_model(self) -> str | None:
        """The file that holds the guide's network: the winner's, if that is the guide's trial; None without one."""
        if self.guide.trial is None:
            return None
        return "model.keras" if self.guide.trial == self.best.trial else "guide.keras"

    @classmethod
    def read(cls, folder: Path) -> "TrainRecord":
        """The record in `folder`. Raises ArtifactError if there is none, or one from another version."""
        path = folder / _FILE
        with output_of("train", path):
            return cls.model_validate_json(path.read_text(encoding="utf-8"))

    def write(self, folder: Path) -> None:
        """Write the record into `folder`."""
        with atomic_file(folder / _FILE) as path:
            path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def of_largest(records: Sequence[TrainRecord]) -> list[TrainRecord]:
    """Those of models of one data set that were trained on the most images."""
    most = max(record.images for record in records)
    return [record for record in records if record.images == most]


def best_of_largest(records: Sequence[TrainRecord]) -> TrainRecord:
    """Of models of one data set the one to use, by validation score, never by test score.

    Only those of the largest size compete: cells of different sizes are validated on different images, so their scores
    do not compare, and more training images are better.
    """
    return max(of_largest(records), key=lambda record: record.validation.corrected.value)


def write_training_images(folder: Path, sha256: Iterable[str]) -> None:
    """Write the SHA-256 of the files that a model was trained on, a line each."""
    (folder / TRAINING_IMAGES).write_text("\n".join(sorted(sha256)) + "\n", encoding="utf-8")


def read_training_images(folder: Path) -> frozenset[str]:
    """What `write_training_images` wrote into `folder`; none where nothing was written. Raises ArtifactError."""
    file = folder / TRAINING_IMAGES
    if not file.exists():
        return frozenset()
    with output_of("train", file):
        return frozenset(file.read_text(encoding="utf-8").split())
