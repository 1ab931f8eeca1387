"""What is drift, of which kind, and what is none: on answers whose distribution is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from frostline.evaluation.answered import Answered
from frostline.evaluation.drift import compare

CLASSES = ("cat", "dog", "owl")
EVEN = (1 / 3, 1 / 3, 1 / 3)


def answers(images: int, seed: int, shares=EVEN, doubt: float = 0.0, stranger: float = 1.0) -> Answered:
    """Of a calibrated network: features in three dimensions, a Gaussian a class; `doubt` moves all to the middle."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, size=images, p=shares)
    features = 1.5 * (1 - doubt) * np.eye(3)[labels] + rng.normal(size=(images, 3))
    likely = np.exp(1.5 * features)
    strangeness = stranger * (0.4 + 0.1 * labels) * rng.gamma(16, 1 / 16, size=images)
    return Answered(CLASSES, likely / likely.sum(axis=1, keepdims=True), strangeness)


@pytest.fixture(scope="module")
def reference() -> Answered:
    return answers(600, seed=1)


@pytest.mark.parametrize("images", [50, 200])
def test_pictures_of_the_same_source_are_no_drift(images: int) -> None:
    """One in a hundred may be."""
    seen = [compare(answers(300, seed), answers(images, seed + 1000)).seen for seed in range(100)]
    assert sum(seen) <= 3


def test_a_class_that_vanishes_is_another_kind_of_drift_than_other_pictures(reference) -> None:
    found = compare(reference, answers(200, seed=2, shares=(0.5, 0.5, 0)))
    assert found.verdict == "other shares of classes"
    assert "shares of classes" in found.because
    assert found.words.startswith("Drift: other shares of classes would explain what is seen (shares of classes, ")
    assert [share.name for share in found.shares] == list(CLASSES)
    owls = found.shares[2]
    assert owls.pictures.high < owls.reference.low
    told = {quantity.name: quantity for quantity in found.quantities}
    assert told["strangeness"].p_beyond_shares > 0.01
    assert told["shares of classes"].p_beyond_shares is None


@pytest.mark.parametrize(
    ("change", "name"),
    [({"stranger": 1.3}, "strangeness"), ({"stranger": 2.2}, "unknown pictures"), ({"doubt": 1.0}, "probability of ")],
)
def test_what_shares_do_not_explain_is_other_pictures(reference, change, name: str) -> None:
    found = compare(reference, answers(300, seed=3, **change))
    assert found.verdict == "other pictures"
    assert found.seen
    assert any(each.startswith(name) for each in found.because)
    assert all(quantity.distance.low > 0 for quantity in found.quantities if quantity.name in found.because)


def test_other_pictures_are_found_beside_other_shares(reference) -> None:
    found = compare(reference, answers(300, seed=4, shares=(0.8, 0.1, 0.1), stranger=1.4))
    assert (found.verdict, found.because[0]) == ("other pictures", "strangeness")


def test_few_strangers_among_many_pictures_are_seen(reference) -> None:
    many = answers(200, seed=5)
    strange = many.strangeness.copy()
    strange[:12] = 3
    found = compare(reference, replace(many, strangeness=strange))
    assert found.because == ("unknown pictures",)


def test_of_few_pictures_nothing_is_said(reference) -> None:
    found = compare(reference, answers(49, seed=6, stranger=9))
    assert (found.verdict, found.seen, found.quantities) == ("too few pictures", False, ())
    assert found.words == "49 pictures got a label: 50 at least are needed."


def test_what_rounding_alone_tells_apart_is_alike() -> None:
    """A second run of a network that is sure gives 0.9999999 where the first gave 1."""
    rng = np.random.default_rng(7)
    strangeness = rng.gamma(16, 1 / 32, size=500)
    first = np.tile([1.0, 0.0, 0.0], (500, 1))
    second = first + np.array([-1e-7, 1e-7, 0])
    found = compare(Answered(CLASSES, first, strangeness), Answered(CLASSES, second, strangeness * (1 + 1e-7)))
    assert found.verdict == "no drift"


def test_a_stricter_level_sees_less(reference) -> None:
    pictures = answers(100, seed=2, shares=(0.45, 0.45, 0.1))
    p = min(quantity.p for quantity in compare(reference, pictures).quantities)
    assert compare(reference, pictures, level=p).seen
    assert not compare(reference, pictures, level=p / 2).seen


def test_two_classes_tell_one_probability() -> None:
    two = Answered(("cat", "dog"), np.tile([0.75, 0.25], (60, 1)), None)
    names = [quantity.name for quantity in compare(two, two).quantities]
    assert names == ["shares of classes", "probability of cat"]  # this network does not tell strangeness


def test_a_table_gives_one_image_a_group_and_no_image_without_an_answer() -> None:
    table = pd.DataFrame(
        {
            "group": ["a", "a", "b", "c"],
            "strangeness": [0.1, 0.2, 0.3, 0.4],
            "probability_dog": [0.1, 0.2, 0.3, np.nan],
            "probability_cat": [0.9, 0.8, 0.7, np.nan],
        }
    )
    found = Answered.of(table, ("cat", "dog"))
    assert found.probabilities.tolist() == [[0.9, 0.1], [0.7, 0.3]]
    assert found.strangeness.tolist() == [0.1, 0.3]
    assert len(Answered.of(table.drop(columns="group"), ("cat", "dog"))) == 3
    assert Answered.of(table.drop(columns="strangeness"), ("cat", "dog")).strangeness is None
