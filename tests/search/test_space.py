"""Every suggestion is a legal point, and the guide's points are points of the space."""

from pathlib import Path

import optuna
import pytest

from frostline.config.load import load_config
from frostline.config.types import GUIDE
from frostline.search.space import as_point, first_strategies, guide_settings, suggest
from frostline.training.settings import strategy_of

CONFIG = load_config(Path(__file__).parents[2] / "params.yaml").search


@pytest.mark.parametrize("depth", [1, 5, 17])
def test_random_suggestions_are_legal(depth: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    seen = set()
    for _ in range(400):
        settings = suggest(study.ask(), CONFIG, depth)
        assert 1 <= settings.keep <= depth
        assert CONFIG.dropout[0] <= settings.dropout <= CONFIG.dropout[1]
        seen.add(strategy_of(settings, depth))
    assert {"end_of_convnet", "retrain"} <= seen


def test_the_guides_points_are_what_the_trials_then_run() -> None:
    study = optuna.create_study()
    for strategy in GUIDE:
        study.enqueue_trial(as_point(guide_settings(strategy, CONFIG, 5)))
    settings = [suggest(study.ask(), CONFIG, 5) for _ in GUIDE]
    assert settings == [guide_settings(strategy, CONFIG, 5) for strategy in GUIDE]
    assert tuple(strategy_of(each, 5) for each in settings) == GUIDE
    assert len({(each.head_learning_rate, each.dropout, each.pooling, each.views) for each in settings}) == 1


def test_the_profiles_cut_is_how_much_of_the_network_the_start_keeps() -> None:
    assert guide_settings("start_of_convnet", CONFIG, 17).keep == 13
    assert guide_settings("start_of_convnet", CONFIG, 17, cut=6).keep == 6
    assert guide_settings("end_of_convnet", CONFIG, 17, cut=6).keep == 17


def test_other_ranges_leave_a_strategy_as_it_is_tried_unless_they_leave_its_values_out() -> None:
    standard = guide_settings("fine_tune", CONFIG, 5)
    wider = CONFIG.model_copy(update={"head_learning_rate": (1e-4, 1e-2), "dropout": (0.1, 0.9)})
    assert guide_settings("fine_tune", wider, 5) == standard
    above = CONFIG.model_copy(update={"head_learning_rate": (0.01, 0.1), "weight_decay": (0.1, 0.2)})
    assert guide_settings("fine_tune", above, 5) == standard.model_copy(
        update={"head_learning_rate": 0.01, "weight_decay": 0.2}
    )


def test_a_study_begins_with_the_cheapest_strategy_and_a_short_one_with_the_recommended() -> None:
    recommended = ("fine_tune", "retrain", "end_of_convnet", "start_of_convnet")
    assert first_strategies(CONFIG, recommended) == GUIDE
    assert first_strategies(CONFIG.model_copy(update={"trials": 3}), recommended) == recommended
    own = CONFIG.model_copy(update={"strategies": ("retrain", "end_of_convnet")})
    assert first_strategies(own, recommended) == ("retrain", "end_of_convnet")
