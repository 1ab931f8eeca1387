"""The training loop: batches, states of folds, views, divergence."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.training.fit import Inputs, State, TrainingDiverged, even_batches, predict, train_epoch

VALUES = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
LABELS = (VALUES[:, 0] > 0).astype(np.int64)
INPUTS = Inputs({"identity": VALUES}, LABELS, np.ones(2, dtype=np.float32))


def network(seed=1, rate=0.01):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, "relu", kernel_initializer=keras.initializers.GlorotUniform(seed=seed)),
            keras.layers.Dropout(0.5, seed=seed),
            keras.layers.Dense(2, "softmax", kernel_initializer=keras.initializers.GlorotUniform(seed=seed)),
        ]
    )
    model.compile(keras.optimizers.AdamW(rate), "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    return model


@given(count=st.integers(1, 300), batch_size=st.integers(1, 64))
def test_batches_have_one_length_and_leave_no_position_out(count, batch_size):
    batches = list(even_batches(count, batch_size))
    assert {len(batch) for batch in batches} == {len(batches[0])}
    assert len(batches[0]) <= batch_size
    positions = np.concatenate(batches)
    assert set(positions) == set(range(count))
    assert len(positions) < count + len(batches)


def test_folds_that_share_a_network_end_where_each_would_alone():
    folds = [np.arange(0, 12), np.arange(8, 20)]

    def alone(rows):
        model, rng = network(), np.random.default_rng(rows[0])
        for _ in range(3):
            train_epoch(model, INPUTS, rows, 4, rng)
        return predict(model, VALUES, np.arange(20), 8)

    model = network()
    states = [(rows, State(model), np.random.default_rng(rows[0])) for rows in folds]
    for _ in range(3):
        for rows, state, rng in states:
            state.restore()
            train_epoch(model, INPUTS, rows, 4, rng)
            state.save()
    for rows, state, _ in states:
        state.restore()
        np.testing.assert_array_equal(predict(model, VALUES, np.arange(20), 8), alone(rows))


@pytest.mark.parametrize("batch_size", [1, 7, 20, 64])
def test_predictions_do_not_depend_on_batches(batch_size):
    model = network()
    rows = np.array([19, 3, 3, 7, 0])
    expected = model.predict(VALUES[rows], verbose=0)
    np.testing.assert_allclose(predict(model, VALUES, rows, batch_size), expected, atol=1e-6)


def test_every_view_is_trained_on_and_labels_follow_their_images():
    class Recorder:
        def __init__(self):
            self.seen = []

        def train_on_batch(self, x, y, sample_weight):
            self.seen += [(tuple(row), label, weight) for row, label, weight in zip(x, y, sample_weight, strict=True)]
            return 0.5

    views = {name: np.stack([np.arange(20), np.full(20, number)], axis=1) for number, name in enumerate("abc")}
    recorder = Recorder()
    inputs = Inputs(views, np.arange(20) % 2, np.array([1.0, 3.0], dtype=np.float32))
    loss = train_epoch(recorder, inputs, np.arange(20), 5, np.random.default_rng(0))
    assert loss == 0.5
    assert sorted(image for (image, _), _, _ in recorder.seen) == list(range(20))
    assert {view for (_, view), _, _ in recorder.seen} == {0, 1, 2}
    assert all(label == image % 2 and weight == (1.0, 3.0)[label] for (image, _), label, weight in recorder.seen)


def test_a_loss_that_is_not_finite_is_an_error():
    model = network()
    model.layers[-1].kernel.assign(np.full((8, 2), np.nan, dtype=np.float32))
    with pytest.raises(TrainingDiverged, match="training loss became nan; the learning rate is too high"):
        train_epoch(model, INPUTS, np.arange(20), 5, np.random.default_rng(0))
