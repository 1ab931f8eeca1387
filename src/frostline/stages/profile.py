"""Stage `profile`: measure a data set against what the backbone was pretrained on, before any training."""

from pathlib import Path

import numpy as np
import pandas as pd

from frostline.atomic import atomic_file
from frostline.backbones.surgery import build_backbone
from frostline.config import load_config
from frostline.data.packed import read_packed
from frostline.data.splits import cell_rows
from frostline.progress import say
from frostline.regimes.activations import measure
from frostline.regimes.figure import profile_figure
from frostline.regimes.profile import Profile, profile_cell
from frostline.regimes.reference import find_reference
from frostline.tracking.lineage import lineage_tags
from frostline.tracking.runs import Tracker
from frostline.training.precision import resolve_precision

__all__ = ["run"]


def run(dataset: str, backbone: str) -> None:
    """Write `results/profile/<dataset>-<backbone>.json` and `.png`, and the same to MLflow.

    A cell is profiled by its own images alone, as it is trained; all cells share one forward pass.
    """
    config = load_config()
    name = f"{dataset}-{backbone}"
    packed = read_packed(Path("data/packed") / name)
    precision = resolve_precision(config.train.precision)
    network = build_backbone(backbone, config.backbone(backbone), precision=precision, seed=config.seed)
    reference = find_reference(network)
    rows = {size: cell_rows(packed.index, per_class, config.seed) for size, per_class in config.sizes.items()}
    sampled = {size: each[: config.profile.images] for size, each in rows.items()}
    every = np.unique(np.concatenate(list(sampled.values())))
    activations = measure(network, packed.images, every)
    cells = {
        size: profile_cell(
            network,
            reference,
            activations.of(np.searchsorted(every, sampled[size])),
            packed.labels[sampled[size]],
            packed.index["group"].iloc[sampled[size]].tolist(),
            np.bincount(packed.labels[rows[size]], minlength=len(packed.classes)).tolist(),
            config.profile,
            config.seed,
        )
        for size in config.sizes
    }
    profile = Profile(
        dataset=dataset,
        backbone=backbone,
        application=network.spec.application,
        image_size=network.image_size,
        reference=reference.source if reference else None,
        thresholds=config.profile,
        block_names=network.block_names,
        cells=cells,
    )
    path = Path("results/profile") / f"{name}.json"
    profile.write(path)
    figure = profile_figure(profile)
    with atomic_file(path.with_suffix(".png")) as picture:
        figure.savefig(picture)
    tracker = Tracker.open(config.stores, dataset)
    with tracker.stage_run(f"profile {name}", lineage_tags() | {"backbone": backbone} | _tags(profile)) as log:
        log.log_params(config.profile.model_dump() | {"reference": profile.reference})
        log.log_metrics(_metrics(profile))
        log.log_table(_blocks(profile), "blocks")
        log.log_table(_layers(profile), "layers")
        log.log_figure(figure, "profile.png")
        log.log_file(path)
    for size, cell in cells.items():
        say(f"{dataset}-{size}: {cell.regime} (shift {cell.shift}); the guide says {' or '.join(cell.strategies)}.")


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
