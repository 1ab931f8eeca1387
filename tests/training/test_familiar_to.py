"""What is familiar is told from cached vectors where blocks are frozen, and from the network itself where not."""

from dataclasses import fields

import numpy as np
import pytest
from points import head, point

from frostline.backbones.readout import compress
from frostline.backbones.tapped import tap
from frostline.statistics.familiar import Familiar
from frostline.training.familiarity import familiar_to, tapped_layer


@pytest.mark.parametrize("settings", [head(blocks=(2, 4), views="flips"), point(freeze_depth=4)])
def test_cached_vectors_of_frozen_blocks_are_the_networks_own(trainer, settings, monkeypatch):
    network = trainer.refit(settings, 1, seed=1)
    cached = familiar_to(network, trainer.setup, settings)
    layer = tapped_layer(trainer.setup, settings)
    monkeypatch.setattr("frostline.training.familiarity.tapped_block", lambda _: 99)  # as if it were thawed
    monkeypatch.setattr("frostline.training.familiarity.tapped_layer", lambda *_: layer)
    own = familiar_to(network, trainer.setup, settings)
    for part in fields(Familiar):
        mine, theirs = getattr(cached, part.name), getattr(own, part.name)
        if part.name != "components":  # directions have no sign
            np.testing.assert_allclose(mine, theirs, rtol=1e-2, atol=1e-2)


def test_thawed_blocks_are_asked_themselves(trainer):
    settings = point(freeze_depth=2)
    network = trainer.refit(settings, 2, seed=1)
    found = familiar_to(network, trainer.setup, settings)
    images = trainer.cell.packed.images[trainer.cell.all_rows]
    vectors = compress(np.asarray(tap(network, tapped_layer(trainer.setup, settings)).predict_on_batch(images)))
    np.testing.assert_allclose(found.mean, vectors.mean(axis=0), rtol=1e-4, atol=1e-4)
    assert len(found.held_out) == len(images)


def test_images_that_cannot_be_held_out_leave_nothing_familiar(make_trainer, packed_cells):
    packed = packed_cells(32)
    trainer = make_trainer(packed)
    network = trainer.refit(head(), 0, seed=1)
    trainer.cell.packed.index["group"] = trainer.cell.packed.index["label"]  # all of a class are near duplicates
    assert familiar_to(network, trainer.setup, head()) is None
