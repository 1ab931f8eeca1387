"""What a study will cost, told before it starts: FLOPs from the layers, seconds from a short timing."""

import time
from dataclasses import dataclass
from statistics import mean

import numpy as np

from frostline.progress import say
from frostline.training.prefix import padded
from frostline.training.settings import GUIDE, guide_depth
from frostline.training.trial import Trainer

__all__ = ["StudyEstimate", "estimate_study"]

_TIMED_BATCH = 32
_TRAINING_TO_FORWARD = 3
"""A training step costs one forward pass and two of the same size backward (Kaplan et al. 2020, arXiv 2001.08361)."""


@dataclass(frozen=True)
class StudyEstimate:
    """Seconds without pruning or early stopping: of the guide's trials by name, and of a sampled one on average."""

    guide: dict[str, float]
    sampled: float
    epochs: dict[str, int]

    def seconds(self, trials: int) -> float:
        """Of a study of `trials` trials."""
        return sum(list(self.guide.values())[:trials]) + max(0, trials - len(self.guide)) * self.sampled

    def report(self, trials: int) -> None:
        """Print it."""
        parts = ", ".join(f"{name} {cost:.0f} s ({self.epochs[name]} epochs)" for name, cost in self.guide.items())
        say(f"Estimate: {parts}; a sampled trial {self.sampled:.0f} s.")
        minutes = self.seconds(trials) / 60
        say(f"Estimate: {trials} trials take {minutes:.1f} min, less what pruning and early stopping save.")


def estimate_study(trainer: Trainer) -> StudyEstimate:
    """Time a forward pass of `trainer`'s backbone and scale it by FLOPs, epochs and images."""
    flops = trainer.backbone.flops_per_block()
    depth = trainer.backbone.depth
    rate = _flops_per_second(trainer)
    images = _TRAINING_TO_FORWARD * trainer.cell.training_images + len(trainer.cell.validation_rows)

    def seconds(keep: int, thaw: int) -> float:
        return trainer.epochs(keep, thaw) * sum(flops[keep - thaw : keep]) * images / rate

    depths = {name: guide_depth(name, depth)[1:] for name in GUIDE}
    grid = [(keep, keep - min(frozen, keep)) for keep in range(1, depth + 1) for frozen in range(depth + 1)]
    return StudyEstimate(
        guide={name: seconds(*point) for name, point in depths.items()},
        sampled=mean(seconds(*point) for point in grid),
        epochs={name: trainer.epochs(*point) for name, point in depths.items()},
    )


def _flops_per_second(trainer: Trainer) -> float:
    """Of a forward pass of the whole backbone over one batch, the second time round."""
    network = trainer.backbone.slice(0, trainer.backbone.depth)
    images = np.asarray(trainer.cell.packed.images[padded(trainer.cell.rows[:_TIMED_BATCH], _TIMED_BATCH)])
    network.predict_on_batch(images)
    started = time.perf_counter()
    network.predict_on_batch(images)
    elapsed = time.perf_counter() - started
    return sum(trainer.backbone.flops_per_block()) * _TIMED_BATCH / elapsed
