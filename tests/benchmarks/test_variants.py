"""Ways to train: each trains, and does something else than `base` does.

In a process of their own, because importing benchmarks makes TensorFlow repeatable in the whole process.
"""

import json
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from frostline.config.load import load_config
from frostline.training.cell import make_cell

ROOT = Path(__file__).parents[2]
IMAGES = 16
VARIANTS = ("layerwise", "l2-sp", "smoothing", "early", "following", "compressed")
SCRIPT = textwrap.dedent(
    """
    import json, pickle, sys
    from pathlib import Path

    import numpy as np
    from benchmarks.curves.listing import settings
    from benchmarks.curves.variants import BASE, VARIANTS
    from frostline.cache.prefix import PrefixCache
    from frostline.config.schema import BackboneConfig
    from frostline.training.setup import Setup
    from frostline.training.trial import Trainer

    folder = Path(sys.argv[1])
    cell, train = pickle.loads((folder / "cell.pickle").read_bytes())
    thawed = settings((5,), 2, "identity", rate=1e-3)  # three blocks

    def trained(variant):
        "Class probabilities after two epochs, and how far each weight of the backbone has moved."
        with VARIANTS[variant]():
            cache = PrefixCache(folder / "cache", 10**9)
            trainer = Trainer(Setup(cell, "vgg16", BackboneConfig(image_size=32), train, cache, seed=20))
            epochs = trainer._train_epochs(thawed, cell.all_rows, 20, 0)
            next(epochs)
            suffix, inputs, _ = next(epochs)
            weights = zip(suffix._backbone.network.get_weights(), trainer.backbone.network.get_weights(), strict=True)
            moved = [float(np.abs(own - before).max()) for own, before in weights]
            return {"probabilities": suffix.probabilities(inputs, cell.all_rows, 1).tolist(), "moved": moved}

    found = {variant: trained(variant) for variant in VARIANTS}
    (folder / "found.json").write_text(json.dumps(found | {"again": trained(BASE)}))
    """
)
THIRD, FOURTH, FIFTH = slice(8, 14), slice(14, 20), slice(20, 26)
"""Kernels and biases of VGG16's blocks of three convolutions each."""


@pytest.fixture(scope="module")
def found(packed_cells, tmp_path_factory):
    """What training gave by variant; the base, trained first and once more at the end, is `base` and `again`."""
    folder = tmp_path_factory.mktemp("variants")
    train = load_config(ROOT / "params.yaml").train.model_copy(update={"precision": "float32", "batch_size": 8})
    cell = make_cell(packed_cells(32, IMAGES), IMAGES // 2, train, seed=20)
    (folder / "cell.pickle").write_bytes(pickle.dumps((cell, train)))
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return json.loads((folder / "found.json").read_text())


def apart(one: dict, other: dict) -> float:
    """By how much a probability differs at most."""
    return float(np.abs(np.subtract(one["probabilities"], other["probabilities"])).max())


def test_every_variant_is_tested_here(found):
    assert set(found) == {"base", "again", *VARIANTS}


def test_what_is_trained_in_the_same_way_ends_the_same(found):
    assert apart(found["again"], found["base"]) < 1e-5


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_trains_in_another_way(found, variant):
    np.testing.assert_allclose(np.sum(found[variant]["probabilities"], axis=1), 1, rtol=1e-5)
    assert apart(found[variant], found["base"]) > 1e-4
    assert max(found[variant]["moved"]) > 0


def test_early_blocks_alone_leave_the_last_as_it_was(found):
    early, base = found["early"]["moved"], found["base"]["moved"]
    assert max(early[FIFTH]) == 0 < max(base[FIFTH])
    assert max(early[THIRD]) > 0


def test_lower_rates_move_earlier_blocks_less(found):
    """Half as far one block before the last, a quarter as far two before."""
    lower, base = found["layerwise"]["moved"], found["base"]["moved"]
    assert max(lower[THIRD]) < max(base[THIRD]) / 2
    assert max(lower[FOURTH]) < max(base[FOURTH])
