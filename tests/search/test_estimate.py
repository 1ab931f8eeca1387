"""The estimate is the sum of its parts, and what is kept serves the trials that will read it."""

from pathlib import Path

import pytest
from made_trials import CONFIG

from frostline.cache.cuts import Rates
from frostline.cache.prefix import PrefixCache
from frostline.config.effort import Effort
from frostline.config.load import load_config
from frostline.config.schema import BackboneConfig
from frostline.data.views import VIEW_SETS
from frostline.search import estimate
from frostline.search.estimate import StudyEstimate, estimate_study
from frostline.search.schedule import Schedule
from frostline.training.cell import make_cell
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

TRAIN = load_config(Path(__file__).parents[2] / "params.yaml").train
IMAGES, VIEWS = 60, 4
MANY = Effort(heads=10, thawed=4, images=100_000)
RATES = Rates(flops=1e9, read=1e9, written=1e9)
VALUES = {1: 16 * 16 * 64, 2: 8 * 8 * 128, 3: 4 * 4 * 256, 4: 2 * 2 * 512}
"""Of a map after each block at 32 pixels."""


@pytest.fixture(scope="module")
def trainer(packed_cells, tmp_path_factory) -> Trainer:
    cell = make_cell(packed_cells(32, IMAGES), IMAGES // 2, TRAIN, seed=20)
    cache = PrefixCache(tmp_path_factory.mktemp("cache"), 10**9)
    return Trainer(Setup(cell, "vgg16", BackboneConfig(image_size=32, weights=None), TRAIN, cache, seed=20))


@pytest.fixture
def estimated(trainer: Trainer, tmp_path: Path, monkeypatch):
    """`estimated(effort, limit)` on a machine of known rates."""
    monkeypatch.setattr(estimate, "measure_rates", lambda *_: RATES)

    def make(effort: Effort, limit: int = 10**9) -> tuple[Schedule, StudyEstimate]:
        schedule = Schedule(CONFIG.model_copy(update={"effort": effort}), 5, None)
        return schedule, estimate_study(trainer, schedule, tmp_path, limit)

    return make


def forwards(trainer: Trainer) -> float:
    """In forward passes, what an image costs that is trained on: a step, and the images that validate beside it."""
    sets = [len(VIEW_SETS[name]) for name in CONFIG.views]
    trained, validating = trainer.cell.folds[0]
    return 3.3 + sum(sets) / len(sets) * len(validating) / len(trained)


def test_each_part_is_what_it_costs(estimated, trainer: Trainer) -> None:
    whole = sum(trainer.backbone.flops_per_block())
    _, heads = estimated(MANY.model_copy(update={"thawed": 0}))
    assert (heads.thawed, heads.cuts, heads.cached_bytes) == (0, (), 0)
    assert heads.filling == pytest.approx(VIEWS * IMAGES * whole / RATES.flops)
    _, more = estimated(MANY.model_copy(update={"thawed": 0, "heads": 30}))
    assert more.heads == pytest.approx(3 * heads.heads)
    _, all_blocks = estimated(MANY)
    assert all_blocks.heads == heads.heads
    assert all_blocks.thawed >= forwards(trainer) * MANY.images * whole / RATES.flops
    assert (heads.refit, all_blocks.refit) == (0, pytest.approx(3.3 * IMAGES * whole / RATES.flops))
    assert all_blocks.filling == pytest.approx(heads.filling + all_blocks.cached_bytes / RATES.written)


def test_images_that_trials_may_train_on_are_seconds_beside_an_epoch_of_each_depth(estimated, trainer) -> None:
    none, few, many = (estimated(MANY.model_copy(update={"images": images}), 1000)[1] for images in (0, 100, 1000))
    assert many.thawed - none.thawed == pytest.approx(10 * (few.thawed - none.thawed))
    flops = trainer.backbone.flops_per_block()
    epoch = len(trainer.cell.folds[0][0]) * (flops[4] + sum(flops[2:]) + sum(flops))
    assert none.thawed == pytest.approx(forwards(trainer) * epoch / RATES.flops)


def test_what_is_kept_saves_trials_of_frozen_blocks_their_forward_pass(estimated) -> None:
    _, kept = estimated(MANY)
    _, nothing = estimated(MANY, limit=1000)
    assert kept.cuts
    assert nothing.cuts == ()
    assert kept.thawed < nothing.thawed
    assert kept.cached_bytes in [width * VIEWS * IMAGES * sum(VALUES[cut] for cut in kept.cuts) for width in (2, 4)]


def test_cuts_are_those_that_the_first_trials_of_each_depth_read(estimated) -> None:
    """The last block and some blocks of the whole network are thawed; of the last block alone just one cut is read."""
    assert set(estimated(MANY)[1].cuts) == {4, 2}
    assert estimated(MANY.model_copy(update={"thawed": 1}))[1].cuts == (4,)
    assert estimated(MANY.model_copy(update={"thawed": 0}))[1].cuts == ()
    assert estimated(MANY.model_copy(update={"images": 1e-9}))[1].cuts == ()  # read less often than written


@pytest.mark.parametrize(
    ("limit", "said"), [(10**9, r"Feature maps are kept after blocks 2, 4"), (1000, "No feature maps are kept")]
)
def test_it_is_told_in_minutes_that_add_up(estimated, capsys, limit: int, said: str) -> None:
    schedule, found = estimated(MANY, limit)
    found.report(schedule)
    told = capsys.readouterr().err
    minutes = (found.filling + found.heads + found.thawed + found.refit) / 60
    assert f"Estimate: {minutes:.1f} min on this machine: " in told
    assert f"10 heads {found.heads / 60:.1f}; " in told
    assert f"4 trials that thaw blocks {found.thawed / 60:.1f}, and" in told
    assert said in told


def test_a_study_of_heads_says_so(estimated, capsys) -> None:
    schedule, found = estimated(MANY.model_copy(update={"thawed": 0}))
    found.report(schedule)
    assert "trials that thaw blocks" not in capsys.readouterr().err


def test_it_measures_this_machine(trainer: Trainer, tmp_path: Path) -> None:
    found = estimate_study(trainer, Schedule(CONFIG, 5, None), tmp_path, 10**9)
    assert min(found.rates.flops, found.rates.read, found.rates.written, found.filling, found.heads) > 0
