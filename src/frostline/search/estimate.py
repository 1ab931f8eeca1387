"""What a study will cost, told before it starts, and which activations it should therefore keep."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frostline.cache.cuts import Rates, choose_cuts, deepest_cut
from frostline.cache.group import map_bytes, pooled_bytes
from frostline.cache.rates import measure_rates
from frostline.config.schema import SearchConfig
from frostline.data.views import VIEW_SETS
from frostline.runtime.progress import say
from frostline.text.phrases import counted
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer

__all__ = ["StudyEstimate", "estimate_study"]

_TRAINING_TO_FORWARD = 3
"""A training step costs one forward pass and two of the same size backward (Kaplan et al. 2020, arXiv 2001.08361)."""


@dataclass(frozen=True)
class StudyEstimate:
    """Seconds without pruning or early stopping, and the cuts whose activations pay for being kept."""

    filling: float
    trials: float
    cuts: tuple[int, ...]
    rates: Rates
    cached_bytes: int

    def report(self, trials: int) -> None:
        """Print it."""
        say(
            f"Estimate: {counted(trials, 'trial')} in {self.trials / 60:.1f} min, less what pruning and early stopping "
            f"save; one pass over the images, unless cached, {self.filling / 60:.1f} min."
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


def estimate_study(
    trainer: Trainer, config: SearchConfig, first: Sequence[TrialSettings], folder: Path, limit_bytes: int
) -> StudyEstimate:
    """The estimate of a study that begins with the trials `first` and keeps activations in `folder`, up to a limit."""
    backbone, cell = trainer.backbone, trainer.cell
    flops = backbone.flops_per_block()
    rates = measure_rates(backbone, cell.packed.images[cell.rows[:32]], folder)
    views = len({view for name in config.views for view in VIEW_SETS[name]})
    images = views * len(cell.all_rows)
    sizes = {cut: map_bytes(backbone, cut) for cut in range(1, backbone.depth)}
    share = _expected(backbone.depth, config, first)
    each_epoch = cell.training_images + len(cell.validation_rows)
    reads: defaultdict[int, float] = defaultdict(float)
    for (keep, frozen), times in share.items():
        if frozen < keep:
            reads[frozen] += times * trainer.epochs(keep, frozen) * each_epoch
    cuts = choose_cuts(flops, sizes, reads, images, rates, limit_bytes - images * pooled_bytes(backbone))

    def seconds(keep: int, frozen: int) -> float:
        if frozen == keep:
            return 0.0
        trained = _TRAINING_TO_FORWARD * cell.training_images + len(cell.validation_rows)
        again = sum(flops[deepest_cut(cuts, frozen) : frozen]) * each_epoch
        return trainer.epochs(keep, frozen) * (sum(flops[frozen:keep]) * trained + again) / rates.flops

    cached = images * sum(sizes[cut] for cut in cuts)
    return StudyEstimate(
        filling=images * sum(flops) / rates.flops + cached / rates.written,
        trials=sum(times * seconds(*depth) for depth, times in share.items()),
        cuts=cuts,
        rates=rates,
        cached_bytes=cached,
    )


def _expected(depth: int, config: SearchConfig, first: Sequence[TrialSettings]) -> dict[tuple[int, int], float]:
    """How many trials at each (keep, freeze depth): those of `first`, and the others as if drawn evenly."""
    begun = first[: config.trials]
    grid = [(keep, min(frozen, keep)) for keep in range(1, depth + 1) for frozen in range(depth + 1)]
    expected: defaultdict[tuple[int, int], float] = defaultdict(float)
    for settings in begun:
        expected[settings.keep, settings.freeze_depth] += 1
    for point in grid:
        expected[point] += (config.trials - len(begun)) / len(grid)
    return expected


def _listed(cuts: Sequence[int]) -> str:
    return f"block{'s' if len(cuts) > 1 else ''} {', '.join(map(str, cuts))}"
