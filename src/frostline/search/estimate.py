"""What a study will cost, told before it starts, and which activations it should therefore keep."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from frostline.backbones.surgery import Backbone
from frostline.cache.cuts import Rates, choose_cuts, deepest_cut
from frostline.cache.group import map_bytes, pooled_bytes
from frostline.cache.rates import measure_rates
from frostline.data.views import views_of
from frostline.runtime.progress import say
from frostline.search.schedule import Schedule
from frostline.text.phrases import counted
from frostline.training.trial import Trainer

__all__ = ["CellSize", "StudyEstimate", "estimate_cell", "estimate_study"]

_TRAINING_TO_FORWARD = 3.3
"""A training step costs one forward pass and two of the same size backward (Kaplan et al. 2020, arXiv 2001.08361).
Measured on processors by `benchmarks.plan`: 3.1 to 3.5 where all blocks are trained (docs/results/plan.md)."""

_TRACINGS = 4.0
"""Of a thawed trial, in those of a forward pass: its training step takes about three, its prediction one."""

_HEAD_FLOPS = 2e10
"""A core's in double precision, in the eigenvalue decompositions that a head is made of: a guess on the safe side."""


@dataclass(frozen=True)
class CellSize:
    """How many images a cell has, and how many of them train in each of so many `folds`, drawn `repeats` times."""

    images: int
    trained: int
    folds: int = 1
    repeats: int = 1

    @property
    def validating(self) -> int:
        """How many images validate in each fold."""
        return self.images - self.trained if self.folds == 1 else self.images // self.folds


@dataclass(frozen=True)
class StudyEstimate:
    """Seconds of the pass over the images, of the heads, of trials that thaw blocks, and the cuts worth keeping.

    `refit` is what fitting the guide's network to all images takes, where its trial thaws blocks.
    """

    filling: float
    heads: float
    thawed: float
    refit: float
    cuts: tuple[int, ...]
    rates: Rates
    cached_bytes: int

    @property
    def seconds(self) -> float:
        """All together."""
        return self.filling + self.heads + self.thawed + self.refit

    def report(self, schedule: Schedule) -> None:
        """Print it."""
        effort = schedule.config.effort
        thawed = (
            f"; up to {counted(effort.thawed, 'trial')} that thaw blocks {self.thawed / 60:.1f}, and at the end the "
            f"guide's network {self.refit / 60:.1f}"
        )
        say(
            f"Estimate: {self.seconds / 60:.1f} min on this machine: one pass over the images, unless cached, "
            f"{self.filling / 60:.1f}; {counted(effort.heads, 'head')} {self.heads / 60:.1f}"
            f"{thawed if effort.thawed else ''}."
        )
        speeds = f"{self.rates.flops / 1e9:.0f} GFLOP/s, and reads {self.rates.read / 1e6:.0f} MB/s"
        if self.cuts:
            say(
                f"Feature maps are kept after {_listed(self.cuts)} ({self.cached_bytes / 1e9:.2g} GB): this machine "
                f"computes {speeds}, so that reading them beats computing them in every epoch."
            )
        else:
            say(
                f"No feature maps are kept: this machine computes {speeds}, and none both saves time over so few "
                "trials and fits stores.cache_gigabytes."
            )


def estimate_study(trainer: Trainer, schedule: Schedule, folder: Path, limit_bytes: int) -> StudyEstimate:
    """The estimate of a study in the order of `schedule` that keeps activations in `folder`, up to a limit."""
    cell = trainer.cell
    rates = measure_rates(trainer.backbone, cell.packed.images[cell.rows[:32]], folder)
    size = CellSize(len(cell.all_rows), len(cell.folds[0][0]), len(cell.folds), len(cell.repeats))
    return estimate_cell(size, trainer.backbone, schedule, rates, limit_bytes)


def estimate_cell(
    size: CellSize, backbone: Backbone, schedule: Schedule, rates: Rates, limit_bytes: int
) -> StudyEstimate:
    """The same from the size of a cell alone, before its images are at hand, at known rates."""
    effort, flops = schedule.config.effort, backbone.flops_per_block()
    sets = [len(views_of(name)) for name in schedule.config.views]
    views = len(views_of(*schedule.config.views))
    images = views * size.images
    sizes = {cut: map_bytes(backbone, cut) for cut in range(1, backbone.depth)}
    reads = _reads(backbone, schedule)
    cuts = choose_cuts(flops, sizes, reads, images, rates, limit_bytes - images * pooled_bytes(backbone))
    again = sum(times * sum(flops[deepest_cut(cuts, frozen) : frozen]) for frozen, times in reads.items())
    validated = sum(sets) / len(sets) * size.validating / size.trained  # with each image that is trained on
    trained = schedule.images + _begun(size.trained, backbone, schedule) if effort.thawed else 0.0
    tracing = effort.thawed * _TRACINGS * rates.tracing
    cached = images * sum(sizes[cut] for cut in cuts)
    return StudyEstimate(
        filling=images * sum(flops) / rates.flops + cached / rates.written,
        heads=effort.heads * _head_seconds(size, backbone),
        thawed=(trained * (_TRAINING_TO_FORWARD + validated) * sum(flops) + again) / rates.flops + tracing,
        refit=_TRAINING_TO_FORWARD * size.images * sum(flops) / rates.flops if _thaws(schedule) else 0.0,
        cuts=cuts,
        rates=rates,
        cached_bytes=cached,
    )


def _reads(backbone: Backbone, schedule: Schedule) -> Mapping[int, float]:
    """How often trials that freeze so many blocks read an image: as if the depths shared the budget evenly."""
    depths = [freeze_depth for _, freeze_depth, _ in schedule.depths]
    flops = backbone.flops_per_block()
    reads: defaultdict[int, float] = defaultdict(float)
    for freeze_depth in depths:
        reads[freeze_depth] += schedule.images / len(depths) * sum(flops) / sum(flops[freeze_depth:])
    return reads


def _begun(epoch: int, backbone: Backbone, schedule: Schedule) -> float:
    """How many images an epoch of each depth takes, which is begun in any case, counted as if through every block."""
    flops = backbone.flops_per_block()
    shares = [sum(flops[frozen:keep]) / sum(flops) for keep, frozen, random in schedule.depths if not random]
    return epoch * sum(shares)


def _thaws(schedule: Schedule) -> bool:
    """Whether a trial of the guide's begins that trains every block."""
    return any(frozen == 0 for _, frozen, _ in schedule.depths)


def _head_seconds(size: CellSize, backbone: Backbone) -> float:
    """Of a head of middling width: an eigenvalue decomposition for every fold of every draw."""
    width = sum(backbone.width(block, "both") for block in range(1, backbone.depth + 1)) / 2
    smaller, larger = sorted((size.trained, width))
    return size.repeats * size.folds * smaller**2 * (9 * smaller + 2 * larger) / _HEAD_FLOPS


def _listed(cuts: Sequence[int]) -> str:
    return f"block{'s' if len(cuts) > 1 else ''} {', '.join(map(str, cuts))}"
