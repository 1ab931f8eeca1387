import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from frostline.statistics.temperature import fit_temperature, soften, with_temperature


def drawn(temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from probabilities, and those probabilities as a network says them that is too sure by so much."""
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(count, 3))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return labels, softmax(temperature * logits, axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.05)


@given(st.floats(0.2, 5))
def test_scaling_back_and_forth_changes_nothing_and_labels_stay(temperature):
    _, probabilities = drawn(1.0, 50)
    scaled = with_temperature(probabilities, temperature)
    np.testing.assert_allclose(with_temperature(scaled, 1 / temperature), probabilities, atol=1e-9)
    np.testing.assert_array_equal(scaled.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(scaled.sum(axis=1), 1)


def test_certain_and_wrong_has_a_finite_temperature():
    certain = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert fit_temperature(np.array([0, 1, 1]), certain) == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("images", [10, 100])
def test_no_mistake_among_few_images_does_not_call_for_certainty(images):
    """At the temperature 0.1, where the loss alone would end, the first mistake to come would cost 40 nats."""
    labels = np.arange(images) % 2
    sure = np.where(np.eye(2)[labels] == 1, 0.98, 0.02)
    temperature = fit_temperature(labels, sure)
    assert 0.4 < temperature < 1
    assert with_temperature(sure, temperature).max() < 0.9999


def test_a_softened_network_says_what_scaling_its_answers_gives():
    inputs = keras.Input((4,))
    network = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="head")(inputs))
    x = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)
    before = network.predict(x, verbose=0)
    soften(network, 2.5)
    np.testing.assert_allclose(network.predict(x, verbose=0), with_temperature(before, 2.5), atol=1e-6)
