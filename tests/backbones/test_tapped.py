"""A network that tells how strange an image is answers as before, whatever views it looks at, wherever it is loaded."""

import keras
import numpy as np
import pytest

from frostline.backbones.readout import add_head, compress, read_out
from frostline.backbones.surgery import build_backbone
from frostline.backbones.tapped import PROBABILITIES, STRANGENESS, tap, tapped_block, with_strangeness
from frostline.backbones.viewed import FEATURES, average_over_views, views_in
from frostline.config.schema import BackboneConfig
from frostline.data.views import views_of
from frostline.statistics.familiar import fit_familiar

SIDE, KEEP = 32, 4


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("vgg16", BackboneConfig(weights=None, image_size=SIDE), seed=1)


@pytest.fixture(scope="module")
def pictures(packed_cells):
    return np.asarray(packed_cells(SIDE).images)


def network_of(backbone, views):
    taps = backbone.taps(0, (2, KEEP))
    vector = read_out(taps.outputs, "both")
    if len(views) > 1:
        images = keras.Input((SIDE, SIDE, 3))
        features = keras.Model(taps.inputs[0], vector, name=FEATURES)
        return keras.Model(images, add_head(average_over_views(images, views, features), 3, seed=1)[0])
    return keras.Model(taps.inputs[0], add_head(vector, 3, seed=1)[0])


@pytest.mark.parametrize("name", ["identity", "flips", "crops-1"])
def test_it_answers_as_before_and_tells_the_distance_of_the_image_as_it_is(name, backbone, pictures, tmp_path):
    block = tapped_block(KEEP)
    layer = backbone.block_names[block - 1]
    network_of(backbone, views_of(name)).save(tmp_path / "network.keras")
    keras.backend.clear_session()  # as in a process of its own, which gives operations the names of the loaded ones
    network = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    before = network.predict(pictures, verbose=0)
    vectors = tap(network, layer).predict(pictures, verbose=0)
    np.testing.assert_allclose(vectors, backbone.pooled(block, pictures), rtol=1e-5, atol=1e-5)
    places = [(np.arange(12), np.arange(12, 24))]
    familiar = fit_familiar(compress(vectors), np.arange(24) % 2, places).flagging(0.1)
    with_strangeness(network, layer, familiar).save(tmp_path / "told.keras")
    told = keras.saving.load_model(tmp_path / "told.keras", compile=False, safe_mode=True)
    assert views_in(told) == len(views_of(name))
    found = told.predict(pictures, verbose=0)
    np.testing.assert_allclose(found[PROBABILITIES], before, atol=1e-6)
    np.testing.assert_allclose(found[STRANGENESS], familiar.distances(compress(vectors).astype(float)), rtol=1e-3)


@pytest.mark.parametrize(("keep", "block"), [(1, 1), (2, 2), (3, 2), (5, 4), (13, 10), (17, 13)])
def test_three_quarters_of_what_is_kept_is_tapped(keep, block):
    assert tapped_block(keep) == block


@pytest.mark.parametrize(("name", "size", "block"), [("inceptionv3", 75, 2), ("convnext_tiny", 32, 3)])
def test_a_block_is_found_again_by_its_stable_name(name, size, block, tmp_path):
    """Keras numbers some layers through the process, and a backbone may hold networks of its own."""
    backbone = build_backbone(name, BackboneConfig(weights=None, image_size=size), seed=1)
    taps = backbone.taps(0, (block, block + 1))
    network = keras.Model(taps.inputs, add_head(read_out(taps.outputs, "both"), 3, seed=1)[0])
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    images = np.random.default_rng(1).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    found = tap(loaded, backbone.block_names[block - 1]).predict(images, verbose=0)
    np.testing.assert_allclose(found, backbone.pooled(block, images), rtol=1e-5, atol=1e-5)
