"""Profile cells: from one forward pass to regimes and recommendations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from frostline.backbones.surgery import Backbone
from frostline.config.schema import ProfileConfig
from frostline.data.packed import PackedImages
from frostline.data.splits import cell_rows
from frostline.evaluation.intervals import balanced_accuracy_interval
from frostline.records.profile import BlockProbe, CellProfile, LayerShift, Profile
from frostline.regimes.activations import Activations, measured_layers
from frostline.regimes.comparison import Comparison, Measurement
from frostline.regimes.guide import classify_similarity, classify_size, recommend
from frostline.regimes.probe import cut_block, log_evidence, peak_block, probe_answers, usable_folds
from frostline.regimes.shift import measure_shift
from frostline.statistics.standard_error import standard_error

__all__ = ["MIN_IMAGES", "CellImages", "make_profile", "profile_cell", "profile_cells"]

MIN_IMAGES = 20
"""Fewer say nothing certain about similarity: at 10, grey photographs reach the threshold by chance."""


@dataclass(frozen=True, eq=False)
class CellImages:
    """The images of a cell that are looked at: their `labels` [N] and `groups` [N].

    Without labels all have one number. `counts` are all the cell's images by class.
    """

    labels: NDArray[np.int64]
    groups: Sequence[str]
    counts: Sequence[int]


def profile_cells(
    comparison: Comparison,
    packed: PackedImages,
    sizes: Mapping[str, int],
    config: ProfileConfig,
    seed: int,
) -> dict[str, CellProfile]:
    """The profile of a data set at each of `sizes` (name: images per class).

    A cell is profiled by its own images alone, as it is trained; all share one forward pass.
    """
    rows = {size: cell_rows(packed.index, per_class, seed) for size, per_class in sizes.items()}
    sampled = {size: each[: config.images] for size, each in rows.items()}
    every = np.unique(np.concatenate(list(sampled.values())))
    measured = comparison.measure(packed.images[every])
    places = {size: np.searchsorted(every, each) for size, each in sampled.items()}
    return {
        size: profile_cell(
            comparison,
            measured.of(places[size]),
            CellImages(
                labels=packed.labels[sampled[size]],
                groups=packed.index["group"].iloc[sampled[size]].tolist(),
                counts=np.bincount(packed.labels[rows[size]], minlength=len(packed.classes)).tolist(),
            ),
            config,
            seed,
        )
        for size in sizes
    }


def make_profile(
    dataset: str,
    name: str,
    comparison: Comparison,
    cells: dict[str, CellProfile],
    config: ProfileConfig,
) -> Profile:
    """The profile of `dataset` with the backbone that params.yaml, or the command line, calls `name`."""
    backbone, reference = comparison.seen, comparison.reference
    return Profile(
        dataset=dataset,
        backbone=name,
        application=backbone.spec.application,
        image_size=backbone.image_size,
        reference=reference.source if reference else None,
        thresholds=config,
        block_names=backbone.block_names,
        cells=cells,
    )


def profile_cell(
    comparison: Comparison, measured: Measurement, images: CellImages, config: ProfileConfig, seed: int
) -> CellProfile:
    """Profile a cell from what was `measured` of some of its `images`."""
    reference, labels, counts = comparison.reference, images.labels, images.counts
    # One thread: these matrices are small, and linear algebra's threads wait far longer than they work where the
    # backend's threads, or another process, hold the cores.
    with threadpool_limits(1):
        shift = measure_shift(measured.compared, reference, seed, images.groups) if reference else None
        blocks, errors = _depth_profile(comparison.seen, measured.seen, images, config.folds, seed)
    layers = tuple(
        LayerShift(name=layer.name, block=layer.block, shift=value)
        for layer, value in zip(measured_layers(comparison.compared), shift.layers if shift else (), strict=False)
    )
    size = classify_size(float(np.median(counts)), sum(counts), config)
    similarity = classify_similarity(shift.score if shift and len(labels) >= MIN_IMAGES else None, config)
    recommendation = recommend(size, similarity)
    scores = [block.balanced_accuracy.value for block in blocks]
    return CellProfile(
        images=sum(counts),
        per_class=float(np.median(counts)),
        measured=len(labels),
        size=size,
        similarity=similarity,
        shift=shift.score if shift else None,
        regime=recommendation.regime,
        strategies=recommendation.strategies,
        reason=recommendation.reason,
        order=recommendation.order,
        peak=peak_block(scores),
        cut=cut_block(scores, errors),
        layers=layers,
        blocks=blocks,
    )


def _depth_profile(
    backbone: Backbone, activations: Activations, images: CellImages, folds: int, seed: int
) -> tuple[tuple[BlockProbe, ...], list[float]]:
    """The blocks, and the standard error of each one's score."""
    labels, groups = images.labels, images.groups
    folds = usable_folds(labels, groups, folds)
    if folds < 2:
        return (), []
    names = np.array(groups)
    answers = [probe_answers(features, labels, groups, folds, seed) for features in activations.pooled]
    blocks = tuple(
        BlockProbe(
            name=name,
            block=block,
            balanced_accuracy=balanced_accuracy_interval(right, labels, names, seed),
            log_evidence=log_evidence(features, labels),
        )
        for block, (name, right, features) in enumerate(
            zip(backbone.block_names, answers, activations.pooled, strict=True), start=1
        )
    )
    return blocks, [standard_error(right, labels, names) for right in answers]
