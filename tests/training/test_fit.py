"""The training loop: batches, views, labels, divergence."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.training.feed import make_feed
from frostline.training.fit import Inputs, TrainingDiverged, even_batches, predict, train_epoch

VALUES = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
LABELS = (VALUES[:, 0] > 0).astype(np.int64)
FEED = make_feed([VALUES], np.arange(20), 10**9)
INPUTS = Inputs(FEED, LABELS, np.ones(2, dtype=np.float32))


def network():
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(2, "softmax", name="last")]
    )
    model.compile(keras.optimizers.AdamW(0.01), "sparse_categorical_crossentropy")
    return model


@given(count=st.integers(1, 300), batch_size=st.integers(1, 64))
def test_batches_have_one_length_and_leave_no_position_out(count, batch_size):
    batches = list(even_batches(count, batch_size))
    assert {len(batch) for batch in batches} == {len(batches[0])}
    assert len(batches[0]) <= batch_size
    positions = np.concatenate(batches)
    assert set(positions) == set(range(count))
    assert len(positions) < count + len(batches)


@pytest.mark.parametrize("count", [1, 19, 33])
def test_predictions_do_not_depend_on_batches(count):
    model = network()
    rows = np.random.default_rng(count).integers(20, size=count)
    expected = model.predict(VALUES[rows], verbose=0)
    np.testing.assert_allclose(predict(model, FEED, rows), expected, atol=1e-6)


def test_every_view_is_trained_on_and_labels_follow_their_images():
    class Recorder:
        def __init__(self):
            self.seen = []

        def train_on_batch(self, x, y, sample_weight):
            self.seen += [(tuple(row), label, weight) for row, label, weight in zip(x, y, sample_weight, strict=True)]
            return 0.5

    views = [np.stack([np.arange(20), np.full(20, number)], axis=1) for number in range(3)]
    recorder = Recorder()
    feed = make_feed(views, np.arange(20), 10**9)
    inputs = Inputs(feed, np.arange(20) % 2, np.array([1.0, 3.0], dtype=np.float32))
    loss = train_epoch(recorder, inputs, np.arange(20), 5, np.random.default_rng(0))
    assert loss == 0.5
    assert sorted(image for (image, _), _, _ in recorder.seen) == list(range(20))
    assert {view for (_, view), _, _ in recorder.seen} == {0, 1, 2}
    assert all(label == image % 2 and weight == (1.0, 3.0)[label] for (image, _), label, weight in recorder.seen)


def test_a_loss_that_is_not_finite_is_an_error():
    model = network()
    model.get_layer("last").kernel.assign(np.full((8, 2), np.nan, dtype=np.float32))
    with pytest.raises(TrainingDiverged, match="training loss became nan; the learning rate is too high"):
        train_epoch(model, INPUTS, np.arange(20), 5, np.random.default_rng(0))


def test_predictions_that_are_no_numbers_are_an_error():
    model = network()
    model.get_layer("last").kernel.assign(np.full((8, 2), np.nan, dtype=np.float32))
    with pytest.raises(TrainingDiverged, match="outputs are no longer numbers"):
        predict(model, FEED, np.arange(20))
