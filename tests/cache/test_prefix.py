"""The cache gives what the network gives, computes it once, and survives damage."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from frostline.backbones.surgery import Backbone, build_backbone
from frostline.cache.prefix import PrefixCache
from frostline.config.schema import BackboneConfig
from frostline.data.views import under, views_of
from frostline.errors import CacheError

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


@pytest.mark.parametrize("view", ["identity", "mirror", "quarter_turn", "crop-3"])
def test_maps_and_vectors_are_the_networks_own(backbone, packed_cells, cache, view):
    packed = packed_cells(48)
    images = np.asarray(under(view, packed.images))[ROWS]
    maps = cache.maps(backbone, packed, ROWS, [view], 3)[0][ROWS]
    np.testing.assert_allclose(maps, backbone.slice(0, 3).predict(images, verbose=0), rtol=1e-4, atol=1e-3)
    pooled = cache.pooled(backbone, packed, ROWS, [view], 4)[0][ROWS]
    np.testing.assert_allclose(pooled, backbone.pooled(4, images), rtol=1e-4, atol=1e-3)


def test_before_the_first_block_are_the_images_under_each_view(backbone, packed_cells, cache, passes):
    packed = packed_cells(48)
    views = views_of("dihedral", "crops")
    for view, source in zip(views, cache.maps(backbone, packed, ROWS, views, 0), strict=True):
        found = source[ROWS]
        assert isinstance(found, np.ndarray)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, np.asarray(under(view, packed.images[ROWS])))
    assert not passes


def test_nothing_is_computed_twice(backbone, packed_cells, tmp_path, passes):
    packed = packed_cells(48)
    for _ in range(2):
        cache = PrefixCache(tmp_path / "cache", 10**9)
        for block in range(1, 6):
            cache.pooled(backbone, packed, ROWS, ["identity"], block)
    assert len(passes) == 1
    cache.pooled(backbone, packed, np.append(ROWS, 7), ["identity"], 5)
    assert len(passes) == 2


def test_a_deeper_cut_starts_from_the_deepest_cached_one(backbone, packed_cells, cache, monkeypatch):
    packed = packed_cells(48)
    cache.maps(backbone, packed, ROWS, ["identity"], 2)
    slices = []
    real = Backbone.slice
    monkeypatch.setattr(Backbone, "slice", lambda self, a, b: slices.append((a, b)) or real(self, a, b))
    deeper = cache.maps(backbone, packed, ROWS, ["identity"], 4)[0][ROWS]
    assert slices == [(2, 3), (3, 4)]
    np.testing.assert_allclose(
        deeper, real(backbone, 0, 4).predict(packed.images[ROWS], verbose=0), rtol=1e-4, atol=1e-3
    )


def maps(folder, backbone, packed, rows, view="identity", cut=5, limit=10**9):
    """What a new process reads from a cache in `folder`."""
    return PrefixCache(folder, limit).maps(backbone, packed, rows, [view], cut)[0][rows]


def test_one_pass_fills_all_that_a_study_needs(backbone, packed_cells, cache, passes):
    packed = packed_cells(48)
    cache.fill(backbone, packed, ROWS, ["identity", "mirror"], [2, 4])
    assert len(passes) == 2
    for view in ("identity", "mirror"):
        images = np.asarray(under(view, packed.images))[ROWS]
        for cut in (2, 4):
            (found,) = cache.maps(backbone, packed, ROWS, [view], cut)
            expected = backbone.slice(0, cut)(images).numpy()
            np.testing.assert_allclose(found[ROWS], expected, rtol=1e-4, atol=1e-3)
        for block in range(1, 6):
            (found,) = cache.pooled(backbone, packed, ROWS, [view], block)
            assert found[ROWS].shape == (4, 2 * backbone.output_shape(block)[-1])
    assert len(passes) == 2


def test_what_another_machine_computed_is_as_if_computed_here(backbone, packed_cells, tmp_path, passes):
    packed = packed_cells(48)
    here, there = PrefixCache(tmp_path / "here", 10**9), PrefixCache(tmp_path / "there", 10**9)
    rows = np.arange(24)
    vectors = there.computed(backbone, packed, rows[4:], "mirror")
    assert not (tmp_path / "there").exists() or not there.folder.entries()
    assert here.lacking(backbone, packed, rows, "mirror").tolist() == rows.tolist()
    here.keep(backbone, packed, rows[4:], "mirror", vectors)
    assert here.lacking(backbone, packed, rows, "mirror").tolist() == [0, 1, 2, 3]
    passes.clear()
    (kept,) = here.pooled(backbone, packed, rows[4:], ["mirror"], 3)
    assert not passes
    (own,) = there.pooled(backbone, packed, rows, ["mirror"], 3)
    np.testing.assert_allclose(kept[rows[4:]], own[rows[4:]], rtol=1e-5)


@pytest.mark.parametrize("damage", ["flip", "truncate", "lose the checks", "lose the values", "empty the identity"])
def test_what_is_damaged_on_disk_is_computed_again(backbone, packed_cells, tmp_path, passes, damage):
    packed = packed_cells(48)
    whole = maps(tmp_path, backbone, packed, ROWS)
    (file,) = tmp_path.glob("*/map-5.values")
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[len(content) // 24 * 5] ^= 0xFF
        file.write_bytes(content)
    elif damage == "truncate":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "lose the checks":
        file.with_suffix(".checks").unlink()
    elif damage == "lose the values":
        file.unlink()
    else:
        (file.parent / "identity.json").write_text("")
    np.testing.assert_array_equal(maps(tmp_path, backbone, packed, ROWS), whole)
    assert len(passes) == (1 if damage == "empty the identity" else 2)


@pytest.mark.parametrize("change", ["weights", "images", "size"])
def test_other_weights_images_or_sizes_are_never_mistaken(backbone, packed_cells, cache, change):
    packed = packed_cells(48)
    before = cache.pooled(backbone, packed, ROWS, ["identity"], 5)[0][ROWS]
    if change == "weights":
        backbone = build_backbone("vgg16", BackboneConfig(image_size=48, weights=None), seed=1)
    elif change == "images":
        packed = packed_cells(48, 30)
    else:
        packed, backbone = packed_cells(64), build_backbone("vgg16", BackboneConfig(image_size=64))
    after = cache.pooled(backbone, packed, ROWS, ["identity"], 5)[0][ROWS]
    np.testing.assert_allclose(after, backbone.pooled(5, packed.images[ROWS]), rtol=1e-4, atol=1e-3)
    assert change == "images" or np.abs(after - before).max() > 1


def test_the_least_recently_used_arrays_are_evicted_first_and_an_open_one_can_still_be_read(
    backbone, packed_cells, tmp_path
):
    packed = packed_cells(48)
    cache = PrefixCache(tmp_path, 900_000)  # two views' maps of block 4 (442,368 bytes each) fit, three do not
    first = cache.maps(backbone, packed, np.arange(24), ["identity"], 4)[0]
    for view in ("mirror", "flip"):
        cache.maps(backbone, packed, np.arange(24), [view], 4)
    left = [entry.identity["view"] for entry in cache.folder.entries()]
    assert left == ["mirror", "flip"]
    expected = backbone.slice(0, 4).predict(packed.images[ROWS], verbose=0)
    np.testing.assert_allclose(first[ROWS], expected, rtol=1e-4, atol=1e-3)
    again = maps(tmp_path, backbone, packed, ROWS, cut=4, limit=900_000)
    np.testing.assert_allclose(again, expected, rtol=1e-4, atol=1e-3)


def test_a_limit_below_what_is_needed_at_once_is_one_clear_error_and_nothing_is_lost(backbone, packed_cells, tmp_path):
    packed = packed_cells(48)
    maps(tmp_path, backbone, packed, ROWS)
    with pytest.raises(
        CacheError, match=r"needed at once take 0\.00035.* GB, but stores.cache_gigabytes .* allows 0\.0003"
    ):
        maps(tmp_path, backbone, packed, np.arange(19), cut=4, limit=300_000)
    assert [entry.name for entry in PrefixCache(tmp_path, 1).folder.entries()] == ["map-5"]


def test_two_processes_that_fill_the_same_cut_compute_it_once_and_agree(backbone, packed_cells, tmp_path, capsys):
    script = textwrap.dedent(
        f"""
        import pickle
        import numpy as np
        from frostline.runtime.environment import set_defaults
        set_defaults()
        from pathlib import Path
        from frostline.backbones.surgery import build_backbone
        from frostline.config.schema import BackboneConfig
        from frostline.cache.prefix import PrefixCache
        packed = pickle.loads(Path({str(tmp_path / "packed.pickle")!r}).read_bytes())
        backbone = build_backbone("vgg16", BackboneConfig(image_size=48))
        rows = np.arange(len(packed.labels))
        print("ready", flush=True)
        (maps,) = PrefixCache(Path({str(tmp_path / "cache")!r}), 10**9).maps(backbone, packed, rows, ["identity"], 3)
        np.save({str(tmp_path / "other.npy")!r}, maps[rows])
        """
    )
    packed = packed_cells(48, 200)
    (tmp_path / "packed.pickle").write_bytes(pickle.dumps(packed))
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "ready\n"
    mine = maps(tmp_path / "cache", backbone, packed, np.arange(200), cut=3)
    _, said = other.communicate()
    assert other.returncode == 0, said
    np.testing.assert_array_equal(mine, np.load(tmp_path / "other.npy"))
    assert ("images to block 3" in said) + ("images to block 3" in capsys.readouterr().err) == 1
