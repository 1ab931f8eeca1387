"""The stages that take time, in DVC's order, and which of them DVC would run now."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from frostline.config.schema import Config

__all__ = ["STAGES", "Step", "changed_stages", "due_steps", "steps_of"]

STAGES = ("prepare", "preprocess", "profile", "train", "evaluate", "labels", "register", "report")
# As dvc.yaml has it: what each stage reads of other stages.
_READS = {
    "preprocess": ("prepare",),
    "profile": ("preprocess",),
    "train": ("preprocess", "profile"),
    "evaluate": ("preprocess", "train"),
    "labels": ("prepare", "train"),
    "register": ("prepare", "train", "evaluate", "labels"),
    "report": ("prepare", "profile", "train", "evaluate", "labels"),
}
_FOLDERS = ("train", "evaluate", "labels")  # of which some stages read the folder of all data sets


@dataclass(frozen=True)
class Step:
    """One stage for one entry of DVC's matrix; what a stage has no entry for is None."""

    stage: str
    dataset: str | None = None
    size: str | None = None
    backbone: str | None = None

    @property
    def item(self) -> str:
        """What it is done for, as DVC writes it: `solar_cells-small-vgg16`."""
        return "-".join(part for part in (self.dataset, self.size, self.backbone) if part)

    @property
    def name(self) -> str:
        """DVC's name of it: `train@solar_cells-small-vgg16`."""
        return f"{self.stage}@{self.item}" if self.item else self.stage

    def reads(self, other: "Step") -> bool:
        """Whether it reads what `other` writes."""
        if other.stage not in _READS.get(self.stage, ()):
            return False
        if other.stage in _FOLDERS and self.stage in ("labels", "register"):
            return True
        mine, its = (self.dataset, self.size, self.backbone), (other.dataset, other.size, other.backbone)
        return all(a == b or a is None or b is None for a, b in zip(mine, its, strict=True))


def steps_of(config: Config) -> Iterator[Step]:
    """Every step of the matrix of `config`, in DVC's order."""
    for dataset in config.datasets:
        yield Step("prepare", dataset)
    for stage in ("preprocess", "profile"):
        for dataset in config.datasets:
            yield from (Step(stage, dataset, backbone=backbone) for backbone in config.backbones)
    for stage in ("train", "evaluate"):
        for dataset in config.datasets:
            for size in config.sizes:
                yield from (Step(stage, dataset, size, backbone) for backbone in config.backbones)
    for stage in ("labels", "register"):
        yield from (Step(stage, dataset) for dataset in config.datasets)
    yield Step("report")


def due_steps(steps: Sequence[Step], changed: Collection[str]) -> list[Step]:
    """Those of `steps`, in DVC's order, that it calls `changed`, and what follows from them."""
    due: list[Step] = []
    for step in steps:
        if step.name in changed or any(step.reads(other) for other in due):
            due.append(step)
    return due


def changed_stages() -> set[str] | None:
    """The stages that DVC would run, but for those that it always runs. None where it cannot say.

    `dvc status` itself would wait for the lock that a running `dvc repro` holds.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

    try:
        with Repo() as repo:
            stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
            changed = {stage.addressing for stage in stages if not stage.always_changed and _is_changed(stage)}
    except DvcException:  # no repository
        return None
    return changed if stages else None


def _is_changed(stage: Any) -> bool:
    return stage.cmd_changed or any(each.status() for each in (*stage.deps, *stage.outs))
