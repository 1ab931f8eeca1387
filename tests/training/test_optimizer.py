"""Two learning rates under Adam, a warm-up, an average over steps, and settings that change without a new graph."""

from math import comb

import keras
import numpy as np
import pytest
from points import point

from frostline.training.optimizer import GroupedAdam

SETTINGS = point(head_learning_rate=0.01)
STEPS = 7


def variables():
    rng = np.random.default_rng(0)
    return [
        keras.Variable(rng.normal(size=(3, 2)).astype(np.float32), name="kernel"),
        keras.Variable(rng.normal(size=(2,)).astype(np.float32), name="head"),
    ]


def gradients(step):
    rng = np.random.default_rng([1, step])
    return [rng.normal(size=shape).astype(np.float32) * 10**step for shape in ((3, 2), (2,))]


def values(some):
    return [np.array(variable) for variable in some]


def grouped(settings=SETTINGS, warmup=0):
    optimizer = GroupedAdam(in_head=lambda variable: variable.name == "head")
    trained = variables()
    optimizer.build(trained)
    optimizer.configure(settings, warmup)
    return optimizer, trained


@pytest.mark.parametrize("warmup", [0, 1, 3, 20])
def test_each_group_ends_where_an_adam_of_its_own_would(warmup):
    """A gradient that is scaled instead would leave Adam's step, and both groups' rates, the same."""
    optimizer, ours = grouped(warmup=warmup)
    theirs = variables()
    rates = (SETTINGS.backbone_learning_rate, SETTINGS.head_learning_rate)
    apart = [keras.optimizers.Adam(rate) for rate in rates]
    for step in range(STEPS):
        optimizer.apply(gradients(step), ours)
        for one, rate, variable, gradient in zip(apart, rates, theirs, gradients(step), strict=True):
            one.learning_rate = rate * (min(1, (step + 1) / warmup) if warmup else 1)
            one.apply([gradient], [variable])
    for mine, expected, start in zip(values(ours), values(theirs), values(variables()), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-7)
        assert np.abs(mine - start).max() > 1e-5


def test_the_average_is_of_polynomial_decay_and_gives_the_weights_back():
    optimizer, trained = grouped()
    steps = []
    for step in range(STEPS):
        optimizer.apply(gradients(step), trained)
        steps.append(values(trained))
        with optimizer.averaged():
            averaged = values(trained)
        for mine, last in zip(values(trained), steps[-1], strict=True):
            np.testing.assert_array_equal(mine, last)
        shares = [comb(each + 8, 8) for each in range(step + 1)]
        for mine, *seen in zip(averaged, *steps, strict=True):
            np.testing.assert_allclose(mine, np.average(seen, axis=0, weights=shares), rtol=1e-5, atol=1e-7)


def test_the_weights_come_back_whatever_happens_while_they_are_averaged():
    optimizer, trained = grouped()
    for step in range(3):
        optimizer.apply(gradients(step), trained)
    before = values(trained)
    with pytest.raises(KeyboardInterrupt), optimizer.averaged():
        raise KeyboardInterrupt
    for mine, expected in zip(values(trained), before, strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_before_the_first_step_the_average_is_the_weights():
    optimizer, trained = grouped()
    optimizer.apply(gradients(0), trained)
    for variable, start in zip(trained, variables(), strict=True):
        variable.assign(start)
    optimizer.configure(SETTINGS, 0)
    with optimizer.averaged():
        for mine, start in zip(values(trained), values(variables()), strict=True):
            np.testing.assert_array_equal(mine, start)


def test_configure_forgets_everything_that_training_left():
    optimizer, trained = grouped(warmup=2)
    for step in range(3):
        optimizer.apply(gradients(step), trained)
    for variable, start in zip(trained, variables(), strict=True):
        variable.assign(start)
    other = point(head_learning_rate=0.02, backbone_learning_rate=0.001)
    optimizer.configure(other, 4)
    fresh, expected = grouped(other, warmup=4)
    for step in range(3):
        optimizer.apply(gradients(step), trained)
        fresh.apply(gradients(step), expected)
    for mine, theirs in zip(values(optimizer.variables), values(fresh.variables), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(values(trained), values(expected), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_under_a_loss_scale_a_step_that_overflows_leaves_the_average_alone():
    optimizer, trained = grouped()
    scaled = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0)
    scaled.build(trained)
    optimizer.configure(SETTINGS, 0)
    plain, expected = grouped()
    infinite = [np.full_like(each, np.inf) for each in gradients(0)]
    for step in range(3):
        scaled.apply([each * np.float32(8 if not step else 4) for each in gradients(step)], trained)
        plain.apply(gradients(step), expected)
        if not step:
            scaled.apply(infinite, trained)  # halves the scale
    assert float(scaled.dynamic_scale) == 4
    with optimizer.averaged(), plain.averaged():
        for mine, theirs in zip(values(trained), values(expected), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5)
