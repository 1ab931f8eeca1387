"""Profile cells: from one forward pass to regimes and recommendations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from frostline.backbones.surgery import Backbone
from frostline.config.schema import ProfileConfig
from frostline.config.types import PerClass, Similarity
from frostline.data.packed import PackedImages
from frostline.data.sample import sample_rows
from frostline.data.splits import cell_rows
from frostline.evaluation.intervals import balanced_accuracy_interval
from frostline.records.profile import BlockProbe, CellProfile, LayerShift, Profile
from frostline.regimes.activations import Activations, measured_layers
from frostline.regimes.comparison import Comparison
from frostline.regimes.guide import classify_similarity, classify_size, recommend
from frostline.regimes.probe import cut_block, log_evidence, peak_block, probe_answers, probe_gain, usable_folds
from frostline.regimes.reference import Reference
from frostline.regimes.shift import Shift, measure_shift
from frostline.statistics.interval import Interval
from frostline.statistics.standard_error import standard_error

__all__ = ["MIN_IMAGES", "CellImages", "Distance", "make_profile", "measure_distance", "profile_cell", "profile_cells"]

_one_thread = partial(threadpool_limits, 1)
"""These matrices are small, and linear algebra's threads wait far longer than they work where the backend's threads, or
another process, hold the cores."""

MIN_IMAGES = 20
"""Fewer say nothing certain about similarity: at 10, grey photographs reach the threshold by chance."""

_SIZE = (
    " At this image size, less than two fifths of that which the weights were trained at, BatchNorm's statistics do "
    "not fit the original data either: a larger one would tell, or a reference made by scripts/make_reference.py."
)


@dataclass(frozen=True, eq=False)
class CellImages:
    """The images of a cell that are looked at: their `labels` [N] and `groups` [N].

    Without labels all have one number. `counts` are all the cell's images by class.
    """

    labels: NDArray[np.int64]
    groups: Sequence[str]
    counts: Sequence[int]


@dataclass(frozen=True)
class Distance:
    """How far a data set lies from the original data, as so many `images` of it show; no shift without a reference."""

    shift: Shift | None
    similarity: Similarity
    images: int


def profile_cells(
    comparison: Comparison,
    packed: PackedImages,
    sizes: Mapping[str, PerClass],
    config: ProfileConfig,
    seed: int,
) -> dict[str, CellProfile]:
    """The profile of a data set at each of `sizes` (images per class, or `all`), from one forward pass over a sample.

    Similarity is the data set's, so that its cells agree; the probe reads the cell's own images alone, as it is
    trained.
    """
    sample = sample_rows(packed.index, config.images, seed)
    measured = comparison.measure(packed.images[sample])
    labels, groups = packed.labels[sample], packed.index["group"].to_numpy()[sample]
    distance = measure_distance(comparison, measured.compared, groups.tolist(), config, seed)
    cells = {}
    for size, per_class in sizes.items():
        rows = cell_rows(packed.index, per_class, seed)
        own = np.flatnonzero(np.isin(sample, rows))
        counts = np.bincount(packed.labels[rows], minlength=len(packed.classes)).tolist()
        images = CellImages(labels[own], groups[own].tolist(), counts)
        cells[size] = profile_cell(comparison, distance, measured.seen.of(own), images, config, seed)
    return cells


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
        similar_up_to=similar_up_to(reference, config) if reference else None,
        thresholds=config,
        block_names=backbone.block_names,
        cells=cells,
    )


def measure_distance(
    comparison: Comparison, compared: Activations, groups: Sequence[str], config: ProfileConfig, seed: int
) -> Distance:
    """Of images in `groups` [N], whose activations are those that are `compared`."""
    reference = comparison.reference
    if reference is None:
        return Distance(None, "unclear", len(groups))
    with _one_thread():
        shift = measure_shift(compared, reference, seed, groups)
    similarity = classify_similarity(shift.score, similar_up_to(reference, config))
    if len(groups) < MIN_IMAGES or (similarity == "different" and not comparison.holds):
        similarity = "unclear"
    return Distance(shift, similarity, len(groups))


def similar_up_to(reference: Reference, config: ProfileConfig) -> float:
    """The threshold of `config` for such a reference."""
    return float(getattr(config.similar_up_to, reference.kind))


def profile_cell(
    comparison: Comparison,
    distance: Distance,
    seen: Activations,
    images: CellImages,
    config: ProfileConfig,
    seed: int,
) -> CellProfile:
    """Profile a cell of a data set at that `distance` from what was `seen` of some of its `images`."""
    shift, counts = distance.shift, images.counts
    with _one_thread():
        depth = _depth_profile(comparison.seen, seen, images, config.folds, seed)
    layers = tuple(
        LayerShift(name=layer.name, block=layer.block, shift=value)
        for layer, value in zip(measured_layers(comparison.compared), shift.layers if shift else (), strict=False)
    )
    size = classify_size(float(np.median(counts)), sum(counts), config)
    recommendation = recommend(size, distance.similarity, depth.gain)
    return CellProfile(
        images=sum(counts),
        per_class=float(np.median(counts)),
        measured=distance.images,
        probed=len(images.labels),
        size=size,
        similarity=distance.similarity,
        shift=shift.score if shift else None,
        regime=recommendation.regime,
        strategies=recommendation.strategies,
        reason=recommendation.reason + (_SIZE if distance.similarity == "unclear" and not comparison.holds else ""),
        order=recommendation.order,
        peak=depth.peak,
        cut=depth.cut,
        gain=depth.gain,
        layers=layers,
        blocks=depth.blocks,
    )


@dataclass(frozen=True)
class _Depth:
    """What a profile says of the blocks; all of it is missing where there is no probe."""

    blocks: tuple[BlockProbe, ...] = ()
    peak: int | None = None
    cut: int | None = None
    gain: Interval | None = None


def _depth_profile(backbone: Backbone, activations: Activations, images: CellImages, folds: int, seed: int) -> _Depth:
    labels, groups = images.labels, images.groups
    folds = usable_folds(labels, groups, folds)
    if folds < 2:
        return _Depth()
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
    scores = [block.balanced_accuracy.value for block in blocks]
    cut = cut_block(scores, [standard_error(right, labels, names) for right in answers])
    gain = probe_gain(labels, groups, answers[cut - 1], answers[-1], seed) if cut else None
    return _Depth(blocks, peak_block(scores), cut, gain)
