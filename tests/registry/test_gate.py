import numpy as np
import pytest

from frostline.config import PromotionConfig
from frostline.registry.gate import Evidence, judge

CONFIG = PromotionConfig(
    metric="balanced_accuracy", level=0.05, calibration_error=0.03, latency=1.5, floors={"balanced_accuracy": 0.6}
)
IMAGES = 200
LABELS = np.arange(IMAGES) % 2
GROUPS = np.arange(IMAGES)


def answers(wrong: range, confidence: float = 0.9, seconds: float = 0.1) -> Evidence:
    named = LABELS.copy()
    named[list(wrong)] = 1 - named[list(wrong)]
    return Evidence(np.where(np.eye(2)[named] == 1, confidence, 1 - confidence), seconds)


def refused(challenger: Evidence, champion: Evidence | None, **changes: object) -> dict[str, str]:
    config = CONFIG.model_copy(update=changes)
    verdict = judge(LABELS, GROUPS, challenger, champion, config, seed=1)
    assert verdict.passed == all(check.passed for check in verdict.checks)
    return {check.name: check.reason for check in verdict.checks if not check.passed}


def test_one_that_is_right_more_often_passes():
    verdict = judge(LABELS, GROUPS, answers(range(20)), answers(range(40)), CONFIG, seed=1)
    assert verdict.passed
    numbers = verdict.numbers
    assert (numbers["images"], numbers["gained"], numbers["lost"]) == (200, 20, 0)
    assert numbers["mcnemar_p"] == pytest.approx(0.5**20)
    assert (numbers["challenger_accuracy"], numbers["champion_accuracy"]) == (0.9, 0.8)
    assert 0 < numbers["gain_low"] < 0.1


def test_the_same_answers_are_no_reason_to_change():
    assert set(refused(answers(range(20)), answers(range(20)))) == {
        "accuracy (McNemar)",
        "balanced_accuracy (bootstrap)",
    }


def test_a_lucky_difference_is_refused_with_its_numbers():
    reasons = refused(answers(range(20)), answers(range(18, 42)))
    assert reasons["accuracy (McNemar)"] == ("0.900 against 0.880, 22 gained and 18 lost: p = 0.318; at most 0.05")


def test_accuracy_bought_with_balance_is_refused():
    # Right on the frequent class where the champion is wrong, wrong on the rare one.
    labels = (np.arange(IMAGES) < 20).astype(np.int64)
    champion, challenger = labels.copy(), labels.copy()
    champion[20:60], challenger[:18] = 1, 0
    evidence = [Evidence(np.eye(2)[named], 0.1) for named in (challenger, champion)]
    verdict = judge(labels, GROUPS, *evidence, CONFIG.model_copy(update={"floors": {}}), seed=1)
    assert [check.name for check in verdict.checks if not check.passed] == ["balanced_accuracy (bootstrap)"]


def test_a_better_one_that_knows_less_what_it_knows_is_refused():
    reasons = refused(answers(range(20), confidence=0.99), answers(range(40), confidence=0.8))
    assert set(reasons) == {"calibration error"}
    assert reasons["calibration error"] == "0.090 against 0.000; at most 0.03 more"


def test_a_better_one_that_is_slower_is_refused():
    reasons = refused(answers(range(20), seconds=0.16), answers(range(40), seconds=0.1))
    assert reasons == {"latency": "160 ms an image against 100 ms; at most 1.5 times"}


def test_floors_are_all_that_a_first_champion_needs():
    floors = {"balanced_accuracy": 0.6, "log_loss": 0.5}
    assert refused(answers(range(20)), None, floors=floors) == {}
    assert refused(answers(range(100)), None, floors=floors) == {
        "floor of balanced_accuracy": "0.500; at least 0.6",
        "floor of log_loss": "1.204; at most 0.5",
    }


def test_near_duplicates_do_not_make_a_difference_sure():
    # One picture in twenty copies is won, one in ten is lost: the bootstrap sees two observations, not thirty.
    groups = np.concatenate([np.zeros(20), np.ones(10), np.arange(2, 172)])
    both = answers(range(20, 30)), answers(range(20))
    alone, copies = (judge(LABELS, each, *both, CONFIG, seed=1).numbers["gain_low"] for each in (GROUPS, groups))
    assert copies < alone


@pytest.mark.parametrize("images", [200, 500])
def test_one_that_is_no_better_passes_no_more_often_than_the_level(images):
    rng = np.random.default_rng(images)
    groups, passed, simulations = np.arange(images), 0, 300
    for seed in range(simulations):
        labels = rng.integers(0, 2, images)
        difficulty = rng.random(images)
        named = [np.where(difficulty + 0.2 * rng.standard_normal(images) < 0.85, labels, 1 - labels) for _ in range(2)]
        evidence = [Evidence(np.eye(2)[each], 0.1) for each in named]
        passed += judge(labels, groups, *evidence, CONFIG, seed).passed
    # Three standard errors above the level.
    assert passed / simulations <= 0.05 + 3 * (0.05 * 0.95 / simulations) ** 0.5
