"""The estimate counts every trial once, and says what is kept and why."""

from pathlib import Path

import pytest

from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.config.types import GUIDE
from frostline.search.estimate import _expected, estimate_study
from frostline.search.space import guide_settings
from frostline.training.cell import make_cell
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

COMMITTED = load_config(Path(__file__).parents[2] / "params.yaml")
FIRST = [guide_settings(strategy, COMMITTED.search, 5) for strategy in GUIDE]


@pytest.mark.parametrize("trials", [2, 4, 12])
def test_every_trial_is_expected_somewhere(trials):
    expected = _expected(5, COMMITTED.search.model_copy(update={"trials": trials}), FIRST)
    assert sum(expected.values()) == pytest.approx(trials)
    assert all(0 <= thaw <= keep <= 5 for keep, thaw in expected)


def estimate(packed_cells, folder, trials, limit=10**9):
    cell = make_cell(packed_cells(32, 60), 30, COMMITTED.train, seed=20)
    cache = PrefixCache(folder, limit)
    trainer = Trainer(Setup(cell, "vgg16", BackboneConfig(image_size=32), COMMITTED.train, cache, seed=20))
    search = COMMITTED.search.model_copy(update={"trials": trials})
    return estimate_study(trainer, search, FIRST, folder, limit)


def test_cuts_are_kept_for_many_trials_and_what_they_take_is_said(packed_cells, tmp_path, capsys):
    found = estimate(packed_cells, tmp_path, 200)
    assert found.cuts
    values = {1: 16 * 16 * 64, 2: 8 * 8 * 128, 3: 4 * 4 * 256, 4: 2 * 2 * 512}
    views, images = 4, 60
    assert found.cached_bytes in (width * views * images * sum(values[cut] for cut in found.cuts) for width in (2, 4))
    found.report(200)
    said = capsys.readouterr().err
    assert "Estimate: 200 trials in " in said
    assert "Feature maps are kept after block" in said
    assert "beats computing them in every epoch" in said


def test_what_does_not_fit_the_limit_is_not_kept(packed_cells, tmp_path, capsys):
    found = estimate(packed_cells, tmp_path, 200, limit=1000)
    assert found.cuts == ()
    found.report(200)
    assert "No feature maps are kept" in capsys.readouterr().err
