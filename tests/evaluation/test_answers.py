"""Answers from shared activations are those of the whole network, and where they cannot be, it answers itself."""

from pathlib import Path

import keras
import numpy as np
import pytest

from frostline.backbones.surgery import build_backbone
from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig, Config
from frostline.evaluation.answers import Answers
from frostline.training.ridge import LinearHead
from frostline.training.served import whole_network
from frostline.training.settings import TrialSettings

ROWS = np.arange(3, 23, 2)
HEAD = TrialSettings(
    init="pretrained", blocks=(2, 4), freeze_depth=4, pooling="both", views="flips", test_views="flips"
)
ALONE = HEAD.model_copy(update={"blocks": (3,), "freeze_depth": 3, "pooling": "average", "test_views": "identity"})


def on(config: Config, **backbone: object) -> Config:
    """With other values for VGG16."""
    return config.model_copy(update={"backbones": {"vgg16": BackboneConfig(**{"image_size": 32} | backbone)}})


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The committed values with VGG16 at 32 pixels and a cache of the test's own."""
    committed = load_config(Path(__file__).parents[2] / "params.yaml")
    stores = committed.stores.model_copy(update={"cache": str(tmp_path / "cache")})
    return on(committed.model_copy(update={"stores": stores}))


def served(config: Config, settings: TrialSettings, folder: Path, *, random: bool = False) -> keras.Model:
    """The network of a random head on VGG16, or on random blocks, as a file gives it."""
    backbone = build_backbone("vgg16", config.backbone("vgg16"), random=random, seed=config.seed)
    width = sum(backbone.width(block, settings.pooling) for block in settings.blocks)
    rng = np.random.default_rng(5)
    kernel = rng.normal(0, 0.1, (width, 2)).astype(np.float32)
    network = whole_network(backbone, settings, LinearHead(*np.ones((2, width)), kernel, np.zeros(2)))
    network.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras", compile=False)


@pytest.mark.parametrize("settings", [HEAD, ALONE])
def test_heads_answer_as_the_whole_network_does(config, settings, packed_cells, tmp_path, capsys):
    packed, network = packed_cells(32), served(config, settings, tmp_path)
    found = Answers(config, "vgg16", packed, ROWS).of(network, settings, "Evaluating it")
    expected = network.predict(packed.images[ROWS], verbose=0)
    assert np.ptp(expected[:, 0]) > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert "images to block 5" in capsys.readouterr().err


def test_the_second_head_needs_no_pass_of_its_own(config, packed_cells, tmp_path, monkeypatch):
    packed = packed_cells(32)
    Answers(config, "vgg16", packed, ROWS).of(served(config, HEAD, tmp_path), HEAD, "Evaluating it")
    monkeypatch.setattr(PrefixCache, "_run", lambda *_: pytest.fail("it ran the backbone"))
    network = served(config, ALONE, tmp_path)
    found = Answers(config, "vgg16", packed, ROWS).of(network, ALONE, "Evaluating it")
    np.testing.assert_allclose(found, network.predict(packed.images[ROWS], verbose=0), atol=1e-5)


def test_random_blocks_of_the_seed_are_shared_too(config, packed_cells, tmp_path, capsys):
    packed, config = packed_cells(32), on(config, weights=None)
    network = served(config, HEAD, tmp_path)
    found = Answers(config, "vgg16", packed, ROWS).of(network, HEAD, "Evaluating it")
    np.testing.assert_allclose(found, network.predict(packed.images[ROWS], verbose=0), atol=1e-5)
    assert "without shared activations" not in capsys.readouterr().err


OTHERWISE = "on those of vgg16 as params.yaml has it, it answers otherwise"


@pytest.mark.parametrize(
    ("now", "blocks", "said"),
    [
        ({"weights": None}, (2, 4), OTHERWISE),
        ({"application": "ResNet50", "weights": None}, (2, 4), OTHERWISE),
        ({"application": "Xception", "weights": None}, (2, 4), "at least 71 for Xception, but got 32"),
        ({"weights": "absent.h5"}, (2, 4), "absent.h5"),
        ({}, (1, 4), OTHERWISE),
        ({}, (4, 9), OTHERWISE),
    ],
)
def test_a_network_on_other_blocks_answers_itself_and_that_is_said(
    config, now, blocks, said, packed_cells, tmp_path, capsys
):
    packed, network = packed_cells(32), served(config, HEAD, tmp_path)
    settings = HEAD.model_copy(update={"blocks": blocks, "freeze_depth": blocks[-1]})
    found = Answers(on(config, **now), "vgg16", packed, ROWS).of(network, settings, "Evaluating it")
    np.testing.assert_allclose(found, network.predict(packed.images[ROWS], verbose=0), atol=1e-5)
    assert "Evaluating it without shared activations: " in (told := capsys.readouterr().err)
    assert said in told


def test_a_cache_that_cannot_be_used_is_no_hindrance(config, packed_cells, tmp_path, capsys):
    packed, network = packed_cells(32), served(config, HEAD, tmp_path)
    (tmp_path / "file").write_text("no folder")
    stores = config.stores.model_copy(update={"cache": str(tmp_path / "file" / "cache")})
    stores = config.model_copy(update={"stores": stores})
    found = Answers(stores, "vgg16", packed, ROWS).of(network, HEAD, "Evaluating it")
    np.testing.assert_allclose(found, network.predict(packed.images[ROWS], verbose=0), atol=1e-5)
    assert "without shared activations: " in capsys.readouterr().err


def test_images_count_as_they_are_packed_not_as_the_parameters_say_by_now(config, packed_cells, tmp_path, capsys):
    packed, network = packed_cells(32), served(config, HEAD, tmp_path)
    found = Answers(on(config, image_size=48), "vgg16", packed, ROWS).of(network, HEAD, "Evaluating it")
    np.testing.assert_allclose(found, network.predict(packed.images[ROWS], verbose=0), atol=1e-5)
    assert "without shared activations" not in capsys.readouterr().err


@pytest.mark.parametrize("known", [True, False])
def test_a_network_whose_blocks_were_trained_sees_the_images(config, known, packed_cells, tmp_path):
    thawed = HEAD.model_copy(
        update={"freeze_depth": 2, "head_learning_rate": 1e-3, "backbone_learning_rate": 1e-5, "dropout": 0.0}
    )
    packed, network = packed_cells(32), served(config, thawed, tmp_path)
    found = Answers(config, "vgg16", packed, ROWS).of(network, thawed if known else None, "Evaluating it")
    np.testing.assert_allclose(found, network.predict(packed.images[ROWS], verbose=0), atol=1e-5)
    assert not (tmp_path / "cache").exists()
