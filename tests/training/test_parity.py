"""Training a suffix on cached prefix activations equals training the whole network with the prefix frozen."""

from dataclasses import replace

import numpy as np
import pytest

from frostline.backbones.surgery import add_head, build_backbone, select_pooling
from frostline.config import BackboneConfig
from frostline.training.cell import make_cell
from frostline.training.fit import Inputs, steps_per_epoch, train_epoch
from frostline.training.prefix import PrefixCache
from frostline.training.settings import TrialSettings
from frostline.training.trial import Trainer, optimizer

EPOCHS, SEED = 2, 5
CASES = {
    "vgg16": (48, "imagenet", [(5, 0), (5, 1), (4, 2)]),
    "inceptionv3": (75, None, [(13, 0), (13, 1), (6, 2)]),
    "resnet50": (32, None, [(17, 0), (17, 2), (8, 1)]),
}


def whole_network_trained(name, config, settings, cell, train_config):
    """What a user of plain Keras would do: one network from pixels to classes, its prefix set to not trainable."""
    import keras

    backbone = build_backbone(name, config, seed=20)
    backbone.freeze(settings.keep, settings.thaw)
    prefix = backbone.slice(0, settings.keep)
    output, statistics = add_head(prefix.output, 2, pooling=settings.pooling, dropout=settings.dropout, seed=SEED)
    features = select_pooling(backbone.pooled(settings.keep, cell.packed.images[cell.all_rows]), settings.pooling)
    statistics.moving_mean.assign(features.mean(axis=0))
    statistics.moving_variance.assign(features.var(axis=0))
    network = keras.Model(prefix.input, output)
    steps = EPOCHS * steps_per_epoch(len(cell.all_rows), train_config.batch_size)
    network.compile(optimizer(settings, steps), "sparse_categorical_crossentropy")
    inputs = Inputs({"identity": cell.packed.images}, cell.packed.labels, np.ones(2, dtype=np.float32))
    rng = np.random.default_rng([SEED, len(cell.folds)])
    for _ in range(EPOCHS):
        train_epoch(network, inputs, cell.all_rows, train_config.batch_size, rng)
    return network


@pytest.mark.parametrize(
    ("name", "keep", "thaw"), [(name, *case) for name, (_, _, cases) in CASES.items() for case in cases]
)
def test_suffix_on_cached_prefix_equals_the_whole_network(name, keep, thaw, packed_cells, train_config, tmp_path):
    size, weights, _ = CASES[name]
    config = BackboneConfig(weights=weights, image_size=size)
    cell = make_cell(packed_cells(size), 12, train_config.model_copy(update={"folds_up_to": 0}), seed=20)
    settings = TrialSettings("pretrained", keep, thaw, 0.003, 0.0001, 1.0, 0.3, "both", "identity")
    trainer = Trainer(cell, name, config, train_config, PrefixCache(tmp_path / "cache", 10**9), seed=20)

    ours = trainer.refit(settings, EPOCHS, SEED)
    theirs = whole_network_trained(name, config, settings, cell, train_config)

    untrained = trainer.refit(replace(settings, head_learning_rate=1e-9, backbone_learning_rate=1e-9), 1, SEED)
    assert len(ours.weights) == len(theirs.weights)
    for mine, expected in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=2e-3, atol=2e-5, err_msg=expected.path)
    probabilities = ours.predict(cell.packed.images, verbose=0)
    np.testing.assert_allclose(probabilities, theirs.predict(cell.packed.images, verbose=0), atol=1e-3)
    assert np.abs(probabilities - untrained.predict(cell.packed.images, verbose=0)).max() > 0.005
