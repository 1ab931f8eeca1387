"""Cells are profiled from their own images, and what cannot be measured is left open."""

from pathlib import Path

import numpy as np
import pytest

from frostline.backbones.surgery import Backbone, build_backbone
from frostline.config.schema import BackboneConfig, PrepareConfig, ProfileConfig
from frostline.data.images import load_square
from frostline.errors import ArtifactError
from frostline.records.profile import CellProfile, Profile
from frostline.regimes.activations import Activations, measure
from frostline.regimes.cells import MIN_IMAGES, CellImages, make_profile, measure_distance, profile_cell
from frostline.regimes.comparison import Comparison
from frostline.regimes.guide import classify_similarity
from frostline.regimes.probe import cut_block, peak_block, probe_answers
from frostline.regimes.reference import Reference, channel_moments, find_reference
from frostline.statistics.standard_error import standard_error

CONFIG = ProfileConfig()
GROUPS = [str(number) for number in range(40)]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return build_backbone("vgg16", BackboneConfig(weights=None, image_size=32), seed=1)


@pytest.fixture(scope="module")
def activations(backbone: Backbone, solar_cells: list[Path]) -> Activations:
    """Of 40 solar cells; the second half is brightened, so that a probe can tell the halves apart."""
    limits = {"min_side": PrepareConfig().min_side, "max_pixels": PrepareConfig().max_pixels}
    images = np.stack([load_square(cell, 32, "stretch", **limits) for cell in solar_cells[:40]])
    images[20:] = np.clip(images[20:].astype(int) + 90, 0, 255)
    return measure(backbone, images)


LABELS = np.repeat([0, 1], 20)


def profiled(backbone: Backbone, activations: Activations, **changes: object) -> CellProfile:
    given = {"reference": None, "labels": LABELS, "groups": GROUPS, "counts": [20, 20]} | changes
    comparison = Comparison(backbone, backbone, given.pop("reference"))
    distance = measure_distance(comparison, activations, given["groups"], CONFIG, seed=1)
    return profile_cell(comparison, distance, activations, CellImages(**given), CONFIG, seed=1)


def own_reference(activations: Activations) -> Reference:
    return Reference(*channel_moments(activations), "the same images")


def test_random_weights_have_no_original_data_to_be_similar_to(backbone: Backbone, activations: Activations) -> None:
    assert find_reference(backbone) is None
    cell = profiled(backbone, activations)
    assert (cell.shift, cell.layers, cell.similarity) == (None, (), "unclear")
    assert cell.regime == "small-unclear"


def test_what_is_measured_against_itself_is_similar(backbone: Backbone, activations: Activations) -> None:
    cell = profiled(backbone, activations, reference=own_reference(activations))
    assert cell.similarity == "similar"
    assert len(cell.layers) == 13
    assert [layer.block for layer in cell.layers] == sorted(layer.block for layer in cell.layers)


def test_a_few_images_leave_similarity_open_although_there_is_a_shift(
    backbone: Backbone, activations: Activations
) -> None:
    some = np.arange(MIN_IMAGES - 1)
    cell = profiled(
        backbone,
        activations.of(some),
        reference=own_reference(activations.of(np.arange(20, 40))),
        labels=LABELS[some],
        groups=GROUPS[: len(some)],
    )
    assert classify_similarity(cell.shift, CONFIG.similar_up_to.sample) == "different"
    assert cell.similarity == "unclear"


def test_the_probe_finds_what_tells_the_classes_apart(backbone: Backbone, activations: Activations) -> None:
    cell = profiled(backbone, activations)
    assert len(cell.blocks) == backbone.depth
    assert cell.blocks[0].balanced_accuracy.value > 0.9
    scores = [block.balanced_accuracy.value for block in cell.blocks]
    answers = [probe_answers(each, LABELS, GROUPS, CONFIG.folds, 1) for each in activations.pooled]
    errors = [standard_error(right, LABELS, np.array(GROUPS)) for right in answers]
    assert (cell.peak, cell.cut) == (peak_block(scores), cut_block(scores, errors))


def test_one_class_has_no_depth_profile(backbone: Backbone, activations: Activations) -> None:
    cell = profiled(backbone, activations, labels=np.zeros(40, np.int64), counts=[40])
    assert (cell.blocks, cell.peak, cell.cut) == ((), None, None)


def test_size_counts_all_images_and_not_just_those_looked_at(backbone: Backbone, activations: Activations) -> None:
    cell = profiled(backbone, activations, counts=[150, 250, 900])
    assert (cell.images, cell.per_class, cell.measured, cell.size) == (1300, 250, 40, "large")


def test_a_profile_is_read_as_it_was_written(tmp_path: Path, backbone: Backbone, activations: Activations) -> None:
    cells = {"small": profiled(backbone, activations, reference=own_reference(activations))}
    profile = make_profile("cells", "vgg16", Comparison(backbone, backbone, None), cells, CONFIG)
    profile.write(tmp_path / "deep" / "profile.json")
    read = Profile.read(tmp_path / "deep" / "profile.json")
    assert read == profile
    assert read.cell("small") == cells["small"]
    with pytest.raises(ArtifactError, match="The profile of cells has no size 'large': run the stage profile again"):
        read.cell("large")


def test_an_absent_profile_and_one_of_another_version_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"profile.json does not exist. Make it with: dvc repro"):
        Profile.read(tmp_path / "profile.json")
    (tmp_path / "profile.json").write_text('{"dataset": "cells"}')
    with pytest.raises(
        ArtifactError, match=r"damaged, or not of this version. Make it again: dvc repro --force profile"
    ):
        Profile.read(tmp_path / "profile.json")
