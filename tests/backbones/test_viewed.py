"""A network over several views gives the mean of what it gives of each."""

import keras
import numpy as np
import pytest

from frostline.backbones.readout import pool
from frostline.backbones.surgery import build_backbone
from frostline.backbones.viewed import average_over_views, images_at_once, views_in
from frostline.config.schema import BackboneConfig
from frostline.data.views import under, views_of

SIDE = 32


@pytest.fixture(scope="module")
def features():
    blocks = build_backbone("vgg16", BackboneConfig(weights=None, image_size=SIDE), seed=1).slice(0, 2)
    return keras.Model(blocks.inputs, pool(blocks.output))


@pytest.fixture(scope="module")
def pictures(packed_cells):
    return np.asarray(packed_cells(SIDE).images[:5])


def over(views, features, dtype="float32"):
    images = keras.Input((SIDE, SIDE, 3), dtype=dtype)
    return keras.Model(images, average_over_views(images, views, features))


def expected(views, features, pictures):
    return np.mean([features.predict(np.asarray(under(view, pictures)), verbose=0) for view in views], axis=0)


@pytest.mark.parametrize("name", ["identity", "mirror", "dihedral", "crops-3"])
def test_it_is_the_mean_over_the_views_of_the_images(name, features, pictures):
    views = views_of(name)
    network = over(views, features)
    for count in (5, 1):
        found = network.predict(pictures[:count].astype(np.float32), verbose=0)
        np.testing.assert_allclose(found, expected(views, features, pictures[:count]), rtol=1e-5, atol=1e-4)


def test_the_features_are_computed_once_for_all_views(features):
    calls = []
    average_over_views(keras.Input((SIDE, SIDE, 3)), views_of("crops"), lambda x: calls.append(x) or features(x))
    assert len(calls) == 1


def test_whole_numbers_are_taken_as_they_are(features, pictures):
    views = views_of("flips", "crops-1")
    found = over(views, features, "uint8").predict(pictures, verbose=0)
    np.testing.assert_allclose(found, expected(views, features, pictures), rtol=1e-5, atol=1e-4)


def test_it_is_saved_and_loaded_without_code_of_ours(features, pictures, tmp_path):
    network = over(views_of("dihedral", "crops-3"), features)
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(again.predict(pictures, verbose=0), network.predict(pictures, verbose=0))


@pytest.mark.parametrize(("name", "at_once"), [("identity", 32), ("mirror", 16), ("flips", 8), ("crops-32", 1)])
def test_a_network_says_how_many_views_it_has_so_that_no_batch_is_longer(name, at_once, features, tmp_path):
    network = over(views_of(name), features)
    network.save(tmp_path / "network.keras")
    for each in (network, keras.saving.load_model(tmp_path / "network.keras", compile=False)):
        assert views_in(each) == len(views_of(name))
        assert images_at_once(views_in(each)) == at_once
