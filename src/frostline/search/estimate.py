"""What a study will cost, told before it starts, and which activations it should therefore keep."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from frostline.cache.cuts import Rates, choose_cuts, deepest_cut
from frostline.cache.group import map_bytes, pooled_bytes
from frostline.cache.rates import measure_rates
from frostline.data.views import views_of
from frostline.runtime.progress import say
from frostline.search.schedule import Schedule
from frostline.text.phrases import counted
from frostline.training.trial import Trainer

__all__ = ["StudyEstimate", "estimate_study"]

_TRAINING_TO_FORWARD = 5.0
"""A training step costs one forward pass and two of the same size backward (Kaplan et al. 2020, arXiv 2001.08361). They
run slower on processors: a guess between that and what was seen."""

_HEAD_FLOPS = 2e10
"""A core's in double precision, in the eigenvalue decompositions that a head is made of: a guess on the safe side."""


@dataclass(frozen=True)
class StudyEstimate:
    """Seconds of the pass over the images, of the heads, of trials that thaw blocks, and the cuts worth keeping."""

    filling: float
    heads: float
    thawed: float
    cuts: tuple[int, ...]
    rates: Rates
    cached_bytes: int

    def report(self, schedule: Schedule) -> None:
        """Print it."""
        effort = schedule.config.effort
        minutes = (self.filling + self.heads + self.thawed) / 60
        thawed = f"; up to {counted(effort.thawed, 'trial')} that thaw blocks {self.thawed / 60:.1f}"
        say(
            f"Estimate: {minutes:.1f} min on this machine: one pass over the images, unless cached, "
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
    backbone, cell = trainer.backbone, trainer.cell
    flops = backbone.flops_per_block()
    rates = measure_rates(backbone, cell.packed.images[cell.rows[:32]], folder)
    views = len(views_of(*schedule.config.views))
    images = views * len(cell.all_rows)
    sizes = {cut: map_bytes(backbone, cut) for cut in range(1, backbone.depth)}
    reads = _reads(trainer, schedule)
    cuts = choose_cuts(flops, sizes, reads, images, rates, limit_bytes - images * pooled_bytes(backbone))
    again = sum(times * sum(flops[deepest_cut(cuts, frozen) : frozen]) for frozen, times in reads.items())
    trained = schedule.images + _begun(trainer, schedule) if schedule.config.effort.thawed else 0.0
    cached = images * sum(sizes[cut] for cut in cuts)
    return StudyEstimate(
        filling=images * sum(flops) / rates.flops + cached / rates.written,
        heads=schedule.config.effort.heads * _head_seconds(trainer),
        thawed=(trained * _TRAINING_TO_FORWARD * sum(flops) + again) / rates.flops,
        cuts=cuts,
        rates=rates,
        cached_bytes=cached,
    )


def _reads(trainer: Trainer, schedule: Schedule) -> Mapping[int, float]:
    """How often trials that freeze so many blocks read an image: as if the depths shared the budget evenly."""
    depths = [freeze_depth for _, freeze_depth, _ in schedule.depths]
    flops = trainer.backbone.flops_per_block()
    reads: defaultdict[int, float] = defaultdict(float)
    for freeze_depth in depths:
        reads[freeze_depth] += schedule.images / len(depths) * sum(flops) / sum(flops[freeze_depth:])
    return reads


def _begun(trainer: Trainer, schedule: Schedule) -> float:
    """How many images an epoch of each depth takes, which is begun in any case, counted as if through every block."""
    flops, epoch = trainer.backbone.flops_per_block(), len(trainer.cell.folds[0][0])
    shares = [sum(flops[frozen:keep]) / sum(flops) for keep, frozen, random in schedule.depths if not random]
    return epoch * sum(shares)


def _head_seconds(trainer: Trainer) -> float:
    """Of a head of middling width: an eigenvalue decomposition for every fold of every draw."""
    cell, blocks = trainer.cell, range(1, trainer.backbone.depth + 1)
    images = len(cell.folds[0][0])
    width = sum(trainer.backbone.width(block, "both") for block in blocks) / 2
    smaller, larger = sorted((images, width))
    return len(cell.repeats) * len(cell.folds) * smaller**2 * (9 * smaller + 2 * larger) / _HEAD_FLOPS


def _listed(cuts: Sequence[int]) -> str:
    return f"block{'s' if len(cuts) > 1 else ''} {', '.join(map(str, cuts))}"
