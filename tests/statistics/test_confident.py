"""Confident learning finds labels that are wrong, and none where nothing speaks against them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.statistics.confident import doubts


def model(labels: np.ndarray, classes: int, seed: int, sure: float = 3.0) -> np.ndarray:
    """Probabilities [N, K] of a model that is right about `labels`, and more or less sure of it."""
    logits = np.random.default_rng(seed).normal(size=(len(labels), classes))
    logits[np.arange(len(labels)), labels] += sure
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def truth(seed: int, classes: int, number: int = 60) -> np.ndarray:
    return np.random.default_rng([seed, 1]).permutation(np.arange(number) % classes)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_a_model_that_agrees_with_all_labels_doubts_none(seed: int, classes: int) -> None:
    labels = truth(seed, classes)
    assert not len(doubts(model(labels, classes, seed, sure=20), labels).ranking)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 6))
def test_wrong_labels_are_found_by_a_model_that_is_right(seed: int, classes: int, wrong: int) -> None:
    right = truth(seed, classes)
    labels = right.copy()
    labels[:wrong] = (right[:wrong] + 1) % classes
    as_sure_of_all = np.where(np.eye(classes)[right], 0.9, 0.1 / (classes - 1))
    found = doubts(as_sure_of_all, labels)
    assert sorted(found.ranking) == list(range(wrong))
    assert found.likelier[:wrong].tolist() == right[:wrong].tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_names_and_order_of_classes_and_images_do_not_matter(seed: int, classes: int) -> None:
    labels = truth(seed, classes)
    probabilities = model(labels, classes, seed, sure=1)
    rng = np.random.default_rng([seed, 2])
    renamed, order = rng.permutation(classes), rng.permutation(len(labels))
    found = doubts(probabilities, labels)
    moved = doubts(probabilities[np.ix_(order, np.argsort(renamed))], renamed[labels][order])
    assert sorted(order[moved.ranking]) == sorted(found.ranking)
    np.testing.assert_allclose(moved.margin, found.margin[order])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_what_is_doubted_has_a_likelier_class_and_the_ranking_is_by_how_much(seed: int, classes: int) -> None:
    labels = truth(seed, classes)
    found = doubts(model(labels, classes, seed, sure=0), labels)
    margins = found.margin[found.ranking]
    assert (margins > 0).all()
    assert (np.diff(margins) <= 0).all()
    assert (found.likelier != labels).all()


def test_a_class_that_the_model_is_less_sure_of_is_not_doubted_for_that() -> None:
    hard = np.tile([0.55, 0.45], (10, 1))  # the model leans to class 0 where the label is 1
    easy = np.tile([0.95, 0.05], (10, 1))
    probabilities, labels = np.concatenate([easy, hard]), np.repeat([0, 1], 10)
    assert (probabilities.argmax(axis=1) != labels).sum() == 10
    assert not len(doubts(probabilities, labels).ranking)
