import re

import numpy as np
import pytest

from frostline.config.schema import PromotionConfig
from frostline.errors import RegistryError
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
    assert numbers["randomisation_p"] == pytest.approx(1 / 2001)
    assert (numbers["challenger_accuracy"], numbers["champion_accuracy"]) == (0.9, 0.8)
    assert 0 < numbers["gain_low"] < 0.1


def test_the_same_answers_are_no_reason_to_change():
    assert set(refused(answers(range(20)), answers(range(20)))) == {
        "balanced_accuracy (randomisation)",
        "balanced_accuracy (bootstrap)",
    }


def test_a_lucky_difference_is_refused_with_its_numbers():
    reasons = refused(answers(range(20)), answers(range(18, 42)))
    assert re.fullmatch(
        r"0.900 against 0.880, 22 images gained and 18 lost: p = 0.[23]\d*; at most 0.05",
        reasons["balanced_accuracy (randomisation)"],
    )


def test_accuracy_bought_with_balance_is_refused():
    # Right on the frequent class where the champion is wrong, wrong on the rare one.
    labels = (np.arange(IMAGES) < 20).astype(np.int64)
    champion, challenger = labels.copy(), labels.copy()
    champion[20:60], challenger[:18] = 1, 0
    evidence = [Evidence(np.eye(2)[named], 0.1) for named in (challenger, champion)]
    verdict = judge(labels, GROUPS, *evidence, CONFIG.model_copy(update={"floors": {}}), seed=1)
    assert [check.name for check in verdict.checks if not check.passed] == [
        "balanced_accuracy (randomisation)",
        "balanced_accuracy (bootstrap)",
    ]


@pytest.mark.parametrize(("metric", "passes"), [("balanced_accuracy", True), ("macro_f1", True), ("accuracy", False)])
def test_the_configured_metric_decides_and_not_accuracy(metric, passes):
    """Sixteen more of the twenty rare ones are found, for twenty of the others: accuracy falls."""
    labels = (np.arange(IMAGES) < 20).astype(np.int64)
    champion, challenger = labels.copy(), labels.copy()
    champion[:18], challenger[:2], challenger[20:40] = 0, 0, 1
    evidence = [Evidence(np.eye(2)[named], 0.1) for named in (challenger, champion)]
    config = CONFIG.model_copy(update={"floors": {}, "metric": metric})
    verdict = judge(labels, GROUPS, *evidence, config, seed=1)
    assert verdict.passed == passes
    assert verdict.numbers["challenger_accuracy"] < verdict.numbers["champion_accuracy"]
    assert (verdict.numbers["gained"], verdict.numbers["lost"]) == (16, 20)


def test_the_same_labels_with_truer_probabilities_pass_by_log_loss_alone():
    better, champion = answers(range(20), confidence=0.9), answers(range(20), confidence=0.6)
    assert refused(better, champion, metric="log_loss") == {}
    assert set(refused(better, champion)) == {"balanced_accuracy (randomisation)", "balanced_accuracy (bootstrap)"}


def test_a_metric_that_the_images_do_not_define_is_one_clear_error():
    one = Evidence(np.tile([0.8, 0.2], (IMAGES, 1)), 0.1)
    config = CONFIG.model_copy(update={"metric": "roc_auc"})
    with pytest.raises(RegistryError, match=r"roc_auc, which these 200 test images do not define.*Choose another"):
        judge(np.zeros(IMAGES, dtype=np.int64), GROUPS, one, one, config, seed=1)
    floors = judge(np.zeros(IMAGES, dtype=np.int64), GROUPS, one, None, _floor_of("roc_auc"), seed=1)
    assert floors.checks[-1].reason == "not defined on these images; at least 0.6"


def _floor_of(metric):
    return CONFIG.model_copy(update={"floors": {metric: 0.6}})


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


@pytest.mark.parametrize(
    ("metric", "images", "copies"), [("balanced_accuracy", 80, 1), ("accuracy", 40, 3), ("log_loss", 60, 1)]
)
def test_one_that_is_no_better_passes_no_more_often_than_the_level(metric, images, copies):
    """On few images, and on pictures that are there in copies, too."""
    config = CONFIG.model_copy(update={"metric": metric, "floors": {}, "calibration_error": 1.0})
    rng = np.random.default_rng(images)
    groups, passed, simulations = np.repeat(np.arange(images), copies), 0, 150
    for seed in range(simulations):
        labels, hard = rng.integers(0, 2, images), rng.standard_normal(images)
        evidence = []
        for _ in range(2):
            sure = 1 / (1 + np.exp(-1.5 - hard - rng.standard_normal(images)))
            right = np.eye(2)[labels] * (2 * sure - 1)[:, None] + (1 - sure)[:, None]
            evidence.append(Evidence(right[groups], 0.1))
        passed += judge(labels[groups], groups, *evidence, config, seed).passed
    # Three standard errors above the level.
    assert passed / simulations <= 0.05 + 3 * (0.05 * 0.95 / simulations) ** 0.5
