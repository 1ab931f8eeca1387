"""What is familiar to a network is read as it was written, without a pickle."""

import numpy as np
import pytest

from frostline.errors import ArtifactError
from frostline.records.familiarity import FAMILIAR, Familiarity
from frostline.statistics.familiar import fit_familiar


@pytest.fixture
def familiarity() -> Familiarity:
    vectors = np.random.default_rng(1).normal(size=(40, 12))
    return Familiarity("block4_pool", fit_familiar(vectors, np.arange(40) % 2, [(np.arange(20), np.arange(20, 40))]))


def test_it_is_read_as_it_was_written(familiarity, tmp_path):
    familiarity.write(tmp_path)
    found = Familiarity.read(tmp_path)
    assert found.layer == "block4_pool"
    strangers = np.random.default_rng(2).normal(size=(5, 12))
    expected = familiarity.flagging(0.1).familiar.distances(strangers)
    np.testing.assert_allclose(found.flagging(0.1).familiar.distances(strangers), expected, rtol=1e-4)


def test_what_is_of_another_network_is_one_clear_error(familiarity):
    import keras

    images = keras.Input((8, 8, 3))
    for name in ("block4_pool", "other"):  # six channels give twelve numbers, three do not
        network = keras.Model(images, keras.layers.AveragePooling2D(2, name=name)(images))
        with pytest.raises(ArtifactError, match=r"is of another network: it has 12 numbers after a layer block4_pool"):
            familiarity.tap(network)
    maps = keras.layers.Conv2D(6, 1, name="block4_pool")(images)
    assert familiarity.tap(keras.Model(images, maps)).output_shape == (None, 12)


def test_the_same_is_the_same_file(familiarity, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        familiarity.write(tmp_path / name)
    assert (tmp_path / "a" / FAMILIAR).read_bytes() == (tmp_path / "b" / FAMILIAR).read_bytes()


def test_a_network_of_before_has_none(tmp_path):
    assert Familiarity.read(tmp_path) is None


@pytest.mark.parametrize("damage", ["cut", "pickled", "other"])
def test_a_damaged_file_is_named(familiarity, tmp_path, damage):
    familiarity.write(tmp_path)
    file = tmp_path / FAMILIAR
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:200])
    elif damage == "pickled":
        np.savez(file, layer=np.array([object()], dtype=object))
    else:
        np.savez(file, layer=np.array("block4_pool"))
    with pytest.raises(ArtifactError, match=rf"{FAMILIAR} is damaged, or not of this version.*dvc repro --force train"):
        Familiarity.read(tmp_path)
