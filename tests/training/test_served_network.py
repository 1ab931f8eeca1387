"""The network that is served does in one piece what training did in parts."""

import keras
import numpy as np
import pytest
from points import head, point

from frostline.backbones.readout import select_pooling
from frostline.data.views import under, views_of
from frostline.statistics.temperature import soften
from frostline.training.ridge import LinearHead
from frostline.training.served import head_of, set_head, whole_network


def some_head(width, classes=3):
    rng = np.random.default_rng(width)
    shapes = (width, width, (width, classes), classes)
    mean, variance, kernel, bias = (rng.uniform(0.1, 1, shape).astype(np.float32) for shape in shapes)
    return LinearHead(mean, variance, kernel - 0.5, bias)


def by_hand(backbone, settings, fitted, images):
    """Probabilities of features that are averaged over views, outside any network."""
    seen = [np.asarray(under(view, images)) for view in views_of(settings.test_views)]
    features = [
        np.mean([select_pooling(backbone.pooled(block, each), settings.pooling) for each in seen], axis=0)
        for block in settings.blocks
    ]
    logits = fitted.logits(np.concatenate(features, axis=1))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "settings",
    [
        head(views="identity"),
        head(blocks=(1, 3, 4), views="flips", pooling="average"),
        head(blocks=(2, 5), views="crops-2", pooling="maximum"),
        head(views="dihedral", test_views="identity"),
    ],
)
def test_it_is_the_head_on_features_averaged_over_the_views(trainer, settings, tmp_path):
    backbone, images = trainer.backbone, np.asarray(trainer.cell.packed.images[:7])
    fitted = some_head(sum(backbone.width(block, settings.pooling) for block in settings.blocks))
    network = whole_network(backbone, settings, fitted)
    expected = by_hand(backbone, settings, fitted, images)
    np.testing.assert_allclose(network.predict(images, verbose=0), expected, atol=1e-4)
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(again.predict(images, verbose=0), network.predict(images, verbose=0))
    for mine, theirs in zip(vars(head_of(again)).values(), vars(fitted).values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(("name", "size", "blocks"), [("inceptionv3", 75, (4, 13)), ("resnet50", 32, (9, 16, 17))])
def test_a_refitted_head_answers_as_it_did_in_validation(make_trainer, packed_cells, name, size, blocks):
    """Other families: from pixels, in one float32 network, what cached vectors gave."""
    trainer = make_trainer(packed_cells(size), name, None)
    settings = head(blocks=blocks, views="mirror")
    network = trainer.refit(settings, 0, 3)
    soften(network, trainer.heads.scores(settings).temperature)
    rows, images = trainer.cell.all_rows, trainer.cell.packed.images
    fitted = trainer.heads.fit(settings, rows)
    expected = by_hand(trainer.backbone, settings, fitted, images)
    np.testing.assert_allclose(network.predict(images, verbose=0), expected, atol=1e-3)
    assert np.ptp(expected[:, 0]) > 0.01


def test_blocks_that_are_cut_off_are_not_in_it(trainer):
    backbone = trainer.backbone
    network = whole_network(backbone, head(blocks=(1, 2)), LinearHead.blank(2 * (64 + 128), 2))
    assert {weight.path.partition("/")[0] for weight in network.weights} == {
        *(f"block{block}_conv{conv}" for block in (1, 2) for conv in (1, 2)),
        "feature_normalisation",
        "head",
    }
    assert (network.predict(np.asarray(trainer.cell.packed.images[:3]), verbose=0) == 0.5).all()


def test_a_head_that_is_set_is_the_head_that_is_read(trainer):
    network = whole_network(trainer.backbone, point(), LinearHead.blank(1024, 3))
    fitted = some_head(1024)
    set_head(network, fitted)
    for mine, theirs in zip(vars(head_of(network)).values(), vars(fitted).values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
