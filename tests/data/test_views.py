"""Views: the symmetries of a square, crops, and what both promise to arrays and to networks."""

import importlib.util
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from frostline.data.views import SYMMETRIES, VIEW_SETS, Crop, under, views_of

IMAGES = np.arange(2 * 6 * 6 * 3, dtype=np.uint8).reshape(2, 6, 6, 3)
NOISE = np.random.default_rng(0).integers(0, 256, (3, 33, 33, 3), dtype=np.uint8)
CROPS = [f"crop-{number}" for number in range(1, 33)]


def seen(view: str, images: np.ndarray) -> np.ndarray:
    return np.asarray(under(view, images))


def test_symmetries_are_distinct_and_keep_every_pixel():
    results = {name: seen(name, IMAGES) for name in SYMMETRIES}
    for name, result in results.items():
        assert result.shape == IMAGES.shape, name
        np.testing.assert_array_equal(np.sort(result, axis=None), np.sort(IMAGES, axis=None))
    assert len({result.tobytes() for result in results.values()}) == len(SYMMETRIES) == 8


def test_symmetries_are_closed_under_composition():
    known = {seen(name, IMAGES).tobytes() for name in SYMMETRIES}
    for first in SYMMETRIES:
        for second in SYMMETRIES:
            assert seen(first, seen(second, IMAGES)).tobytes() in known


def test_a_symmetry_does_what_its_name_says():
    rotated = {"quarter_turn": 1, "half_turn": 2, "three_quarter_turn": 3}
    expected = {name: np.rot90(IMAGES, turns, axes=(1, 2)) for name, turns in rotated.items()}
    expected |= {"mirror": IMAGES[:, :, ::-1], "flip": IMAGES[:, ::-1], "transpose": IMAGES.swapaxes(1, 2)}
    for name, result in expected.items():
        np.testing.assert_array_equal(seen(name, IMAGES), result)


def test_every_set_starts_with_the_images_themselves_and_repeats_nothing():
    for name, views in VIEW_SETS.items():
        assert views[0] == "identity", name
        assert len(set(views)) == len(views), name
    assert views_of("crops") == views_of("crops-6") == ("identity", "mirror", *CROPS[:6])
    assert views_of("crops-32") == ("identity", "mirror", *CROPS)
    assert views_of("flips", "mirror", "crops-1") == ("identity", "mirror", "flip", "half_turn", "crop-1")


def test_crops_are_drawn_within_their_bounds_and_differ():
    crops = [Crop.drawn(number) for number in range(1, 33)]
    assert len(set(crops)) == 32
    for crop in crops:
        assert max(crop.height, crop.width) <= 1
        assert 0.35 <= crop.height * crop.width <= 1
        assert 3 / 4 <= crop.width / crop.height <= 4 / 3
        assert 0 <= min(crop.down, crop.right) <= max(crop.down, crop.right) <= 1
        assert all(0.75 <= factor <= 1.25 for factor in (crop.brightness, crop.contrast, crop.saturation))
    assert 8 <= sum(crop.mirrored for crop in crops) <= 24


def test_a_crop_is_the_same_in_every_process():
    """Written down: networks in the registry hold crops by their numbers, and caches find them by their names."""
    assert [round(value, 6) for value in Crop.drawn(1)] == [
        *(0.862414, 0.691274, 0.818935, 0.179988),
        *(True, 1.147064, 1.209002, 0.750218),
    ]


@pytest.mark.parametrize("view", ["crop-1", "crop-4"])
def test_a_crop_is_what_pillow_makes_of_the_same_box_and_factors(view):
    crop = Crop.drawn(int(view[5:]))
    side = 96
    smooth = Image.fromarray(NOISE[0]).resize((side, side), Image.Resampling.BICUBIC)
    height, width = round(crop.height * side), round(crop.width * side)
    top, left = round(crop.down * (side - height)), round(crop.right * (side - width))
    box = smooth.crop((left, top, left + width, top + height)).resize((side, side), Image.Resampling.BILINEAR)
    box = box.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if crop.mirrored else box
    pixels = np.asarray(box).astype(float) * crop.brightness
    pixels = (pixels - 128) * crop.contrast + 128
    grey = pixels @ [0.299, 0.587, 0.114]
    expected = np.clip(grey[..., None] + crop.saturation * (pixels - grey[..., None]), 0, 255)
    found = seen(view, np.asarray(smooth)[None])[0]
    assert np.abs(found - expected).max() <= 3
    assert np.abs(found - expected).mean() <= 0.6


def test_a_crop_shows_the_same_part_at_every_size():
    large = np.asarray(Image.fromarray(NOISE[0, :3, :3]).resize((192, 192), Image.Resampling.BICUBIC))
    small = np.asarray(Image.fromarray(large).resize((96, 96), Image.Resampling.BOX))
    for view in CROPS[:6]:
        halved = Image.fromarray(seen(view, large[None])[0]).resize((96, 96), Image.Resampling.BOX)
        assert np.abs(seen(view, small[None])[0].astype(float) - np.asarray(halved)).mean() < 3


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_network_sees_the_very_pixels_that_an_array_gives(dtype):
    views = views_of("dihedral", "crops-32")
    images = keras.Input((33, 33, 3), dtype=dtype)
    network = keras.Model(images, [under(view, images) for view in views])
    for view, inside in zip(views, network.predict(NOISE.astype(dtype), verbose=0), strict=True):
        assert inside.dtype == dtype
        np.testing.assert_array_equal(inside, seen(view, NOISE), err_msg=view)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_jax_gives_the_very_same_pixels(tmp_path):
    script = """
        import sys, numpy as np
        from frostline.data.views import under, views_of
        images = np.load(sys.argv[1])
        np.save(sys.argv[2], [np.asarray(under(view, images)) for view in views_of("dihedral", "crops-12")])
    """
    np.save(tmp_path / "images.npy", NOISE)
    files = [str(tmp_path / name) for name in ("images.npy", "viewed.npy")]
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), *files], check=True, env=environment)
    for view, found in zip(views_of("dihedral", "crops-12"), np.load(files[1]), strict=True):
        np.testing.assert_array_equal(found, seen(view, NOISE), err_msg=view)


@given(side=st.integers(1, 70), number=st.integers(1, 32), value=st.integers(0, 255), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=60)
def test_the_arithmetic_of_crops_is_exact_in_float32(side, number, value, seed):
    """In float64 the same numbers come out, so nothing was rounded on the way, in whatever order it was added."""
    images = np.random.default_rng(seed).choice([0, value, 255], (1, side, side, 3)).astype(np.uint8)
    exact = _crop_in_float64(images[0], Crop.drawn(number))
    np.testing.assert_array_equal(seen(f"crop-{number}", images)[0], exact)


def _crop_in_float64(image: np.ndarray, crop: Crop) -> np.ndarray:
    def fine(factor):
        return np.round(np.multiply(factor, 256)) / 256

    def stretched(x, length, place):
        side = len(x)
        pixels = max(1, round(length * side))
        part = x[round(place * (side - pixels)) :][:pixels]
        middles = np.clip((np.arange(side) + 0.5) * pixels / side - 0.5, 0, pixels - 1)
        low = np.floor(middles).astype(int)
        weight = fine(middles - low)[:, None, None]
        return part[low] * (1 - weight) + part[np.minimum(low + 1, pixels - 1)] * weight

    x = stretched(image.astype(float), crop.height, crop.down)
    x = np.round(stretched(x.swapaxes(0, 1), crop.width, crop.right)).swapaxes(0, 1)
    x = x[:, ::-1] if crop.mirrored else x
    gain = crop.brightness * crop.contrast
    matrix = fine(gain * (1 - crop.saturation)) * np.array([19, 38, 7]) / 64 + fine(gain * crop.saturation) * np.eye(3)
    return np.round(np.clip(x @ matrix.T + fine(128 * (1 - crop.contrast)), 0, 255))


def test_views_are_named_without_keras():
    script = "import sys, frostline.data.views; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
