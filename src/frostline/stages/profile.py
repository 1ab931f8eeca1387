"""Stage `profile`: measure a data set against what the backbone was pretrained on, before any training."""

from pathlib import Path

import pandas as pd

from frostline.backbones.surgery import build_backbone
from frostline.config.load import load_config
from frostline.data.packed import read_packed
from frostline.files.atomic import atomic_file
from frostline.plots.profile import profile_figure
from frostline.records.profile import Profile
from frostline.regimes.cells import make_profile, profile_cells
from frostline.regimes.comparison import prepare_comparison
from frostline.runtime.precision import resolve_precision
from frostline.runtime.progress import say
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker

__all__ = ["run"]


def run(dataset: str, backbone: str) -> None:
    """Write `results/profile/<dataset>-<backbone>.json` and `.png`, and the same to MLflow."""
    config = load_config()
    name = f"{dataset}-{backbone}"
    packed = read_packed(Path("data/packed") / name)
    precision = resolve_precision(config.train.precision)
    network = build_backbone(backbone, config.backbone(backbone), precision=precision, seed=config.seed)
    comparison = prepare_comparison(backbone, config.backbone(backbone), network, packed.training_sides())
    cells = profile_cells(comparison, packed, config.sizes, config.profile, config.seed)
    profile = make_profile(dataset, backbone, comparison, cells, config.profile)
    path = Path("results/profile") / f"{name}.json"
    profile.write(path)
    figure = profile_figure(profile)
    with atomic_file(path.with_suffix(".png")) as picture:
        figure.savefig(picture)
    tracker = Tracker.open(config.stores, dataset)
    with tracker.stage_run(f"profile {name}", lineage_tags() | {"backbone": backbone} | _tags(profile)) as log:
        log.log_params(
            config.profile.model_dump() | {"reference": profile.reference, "similar_up_to": profile.similar_up_to}
        )
        log.log_metrics(_metrics(profile))
        log.log_table(_blocks(profile), "blocks")
        log.log_table(_layers(profile), "layers")
        log.log_figure(figure, "profile.png")
        log.log_file(path)
    for size, cell in cells.items():
        say(f"{dataset}-{size}: {cell.regime} (shift {cell.shift}); to try first: {' or '.join(cell.strategies)}.")
        say(f"{dataset}-{size}: {cell.reason}")


def _tags(profile: Profile) -> dict[str, str]:
    return {f"regime.{size}": cell.regime for size, cell in profile.cells.items()}


def _metrics(profile: Profile) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for size, cell in profile.cells.items():
        if cell.shift:
            metrics[f"shift.{size}"] = cell.shift.value
            metrics |= {f"shift.{size}.low": cell.shift.low, f"shift.{size}.high": cell.shift.high}
        if cell.peak:
            metrics[f"probe_peak.{size}"] = cell.peak
    return metrics


def _layers(profile: Profile) -> pd.DataFrame:
    return pd.DataFrame(
        {"size": size, "layer": layer.name, "block": layer.block} | {"shift": layer.shift.value}
        for size, cell in profile.cells.items()
        for layer in cell.layers
    )


def _blocks(profile: Profile) -> pd.DataFrame:
    return pd.DataFrame(
        {"size": size, "block": block.block, "name": block.name}
        | {f"balanced_accuracy_{part}": value for part, value in block.balanced_accuracy.model_dump().items()}
        | {"log_evidence": block.log_evidence}
        for size, cell in profile.cells.items()
        for block in cell.blocks
    )
