"""The cache gives what the network gives, computes it once, and survives damage."""

import numpy as np
import pytest

from frostline.backbones.surgery import Backbone, build_backbone
from frostline.config import BackboneConfig
from frostline.training.prefix import PrefixCache
from frostline.training.views import VIEWS

ROWS = np.array([3, 5, 11, 2])


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return build_backbone("vgg16", BackboneConfig(image_size=48))


@pytest.fixture
def cache(tmp_path):
    return PrefixCache(tmp_path / "cache", 10**9)


@pytest.fixture
def passes(monkeypatch):
    """Counts the images that networks are run over."""
    import keras

    counted = []
    real = keras.Model.predict_on_batch

    def counting(self, x):
        counted.append(len(x))
        return real(self, x)

    monkeypatch.setattr(keras.Model, "predict_on_batch", counting)
    return counted


@pytest.mark.parametrize("view", ["identity", "mirror", "quarter_turn"])
def test_maps_and_vectors_are_the_networks_own(backbone, packed_cells, cache, view):
    packed = packed_cells(48)
    images = VIEWS[view](packed.images)[ROWS]
    maps = cache.maps(backbone, packed, ROWS, view, 3)[ROWS]
    np.testing.assert_allclose(maps, backbone.slice(0, 3).predict(images, verbose=0), rtol=1e-4, atol=1e-3)
    pooled = cache.pooled(backbone, packed, ROWS, view, 4)[ROWS]
    np.testing.assert_allclose(pooled, backbone.pooled(4, images), rtol=1e-4, atol=1e-3)


def test_nothing_is_computed_twice(backbone, packed_cells, tmp_path, passes):
    packed = packed_cells(48)
    for _ in range(2):
        cache = PrefixCache(tmp_path / "cache", 10**9)
        for block in range(1, 6):
            cache.pooled(backbone, packed, ROWS, "identity", block)
    assert len(passes) == 1
    cache.pooled(backbone, packed, np.append(ROWS, 7), "identity", 5)
    assert len(passes) == 2


def test_a_deeper_cut_starts_from_the_deepest_cached_one(backbone, packed_cells, cache, monkeypatch):
    packed = packed_cells(48)
    cache.maps(backbone, packed, ROWS, "identity", 2)
    slices = []
    real = Backbone.slice
    monkeypatch.setattr(Backbone, "slice", lambda self, a, b: slices.append((a, b)) or real(self, a, b))
    deeper = cache.maps(backbone, packed, ROWS, "identity", 4)[ROWS]
    assert slices == [(2, 3), (3, 4)]
    np.testing.assert_allclose(
        deeper, real(backbone, 0, 4).predict(packed.images[ROWS], verbose=0), rtol=1e-4, atol=1e-3
    )


def test_damaged_rows_are_computed_again(backbone, packed_cells, tmp_path, passes):
    packed = packed_cells(48)
    whole = np.array(PrefixCache(tmp_path, 10**9).maps(backbone, packed, ROWS, "identity", 5)[ROWS])
    (file,) = tmp_path.glob("*/map-5.values")
    content = bytearray(file.read_bytes())
    content[len(content) // 24 * 5] ^= 0xFF
    file.write_bytes(content)
    again = PrefixCache(tmp_path, 10**9).maps(backbone, packed, ROWS, "identity", 5)[ROWS]
    np.testing.assert_array_equal(again, whole)
    assert len(passes) == 2


@pytest.mark.parametrize("change", ["weights", "images", "size"])
def test_other_weights_images_or_sizes_are_never_mistaken(backbone, packed_cells, cache, change):
    packed = packed_cells(48)
    before = np.array(cache.pooled(backbone, packed, ROWS, "identity", 5)[ROWS])
    if change == "weights":
        backbone = build_backbone("vgg16", BackboneConfig(image_size=48, weights=None), seed=1)
    elif change == "images":
        packed = packed_cells(48, 30)
    else:
        packed, backbone = packed_cells(64), build_backbone("vgg16", BackboneConfig(image_size=64))
    after = cache.pooled(backbone, packed, ROWS, "identity", 5)[ROWS]
    np.testing.assert_allclose(after, backbone.pooled(5, packed.images[ROWS]), rtol=1e-4, atol=1e-3)
    assert change == "images" or np.abs(after - before).max() > 1


def test_the_least_recently_used_group_is_evicted_first(backbone, packed_cells, tmp_path):
    packed = packed_cells(48)
    cache = PrefixCache(tmp_path, 200_000)
    for view in ("identity", "mirror", "flip"):
        cache.maps(backbone, packed, np.arange(24), view, 4)
    left = sorted(path.parent for path in tmp_path.glob("*/*.values"))
    assert 1 <= len(left) < 3
    rows = cache.maps(backbone, packed, ROWS, "identity", 4)[ROWS]
    np.testing.assert_allclose(rows, backbone.slice(0, 4).predict(packed.images[ROWS], verbose=0), rtol=1e-4, atol=1e-3)


def test_a_cache_too_small_for_one_study_says_so_and_works(backbone, packed_cells, tmp_path, capsys):
    cache = PrefixCache(tmp_path, 10)
    cache.maps(backbone, packed_cells(48), ROWS, "identity", 4)
    assert "above stores.cache_gigabytes" in capsys.readouterr().err
