"""Two learning rates under Adam, a schedule, and settings that change without a new graph."""

import keras
import numpy as np
import pytest
from points import point

from frostline.training.optimizer import GroupedAdamW, schedule

SETTINGS = point(head_learning_rate=0.01, weight_decay=0.5, dropout=0.0, views="identity")
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


def grouped(settings=SETTINGS, warmup=0):
    optimizer = GroupedAdamW(in_head=lambda variable: variable.name == "head")
    trained = variables()
    optimizer.build(trained)
    optimizer.configure(settings, STEPS, warmup)
    return optimizer, trained


def test_each_group_ends_where_an_adamw_of_its_own_would():
    """A gradient that is scaled instead would leave Adam's step, and both groups' rates, the same."""
    optimizer, ours = grouped()
    theirs = variables()
    decay = keras.optimizers.schedules.CosineDecay
    apart = [
        keras.optimizers.AdamW(decay(SETTINGS.backbone_learning_rate, STEPS), weight_decay=0.0),
        keras.optimizers.AdamW(decay(SETTINGS.head_learning_rate, STEPS), weight_decay=SETTINGS.weight_decay),
    ]
    for step in range(STEPS - 1):
        optimizer.apply(gradients(step), ours)
        for one, variable, gradient in zip(apart, theirs, gradients(step), strict=True):
            one.apply([gradient], [variable])
    for mine, expected, start in zip(ours, theirs, variables(), strict=True):
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=1e-5, atol=1e-7)
        assert np.abs(mine.numpy() - start.numpy()).max() > 1e-5


def test_configure_forgets_everything_that_training_left():
    optimizer, trained = grouped()
    for step in range(3):
        optimizer.apply(gradients(step), trained)
    optimizer.configure(SETTINGS, STEPS, 0)
    for variable, start in zip(trained, variables(), strict=True):
        variable.assign(start)
    fresh, expected = grouped()
    for step in range(3):
        optimizer.apply(gradients(step), trained)
        fresh.apply(gradients(step), expected)
    for mine, theirs in zip(trained, expected, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


@pytest.mark.parametrize("warmup", [0, 1, 3])
def test_rates_rise_over_the_warm_up_and_then_fall_to_zero(warmup):
    shares = [float(schedule(step, 10.0, float(warmup))) for step in range(11)]
    assert shares[:warmup] == pytest.approx([(step + 1) / warmup for step in range(warmup)])
    assert shares[warmup] == pytest.approx(1.0)
    assert all(np.diff(shares[warmup:]) < 0)
    assert shares[10] == pytest.approx(0.0, abs=1e-6)
