"""The training loop: batches, views, labels, divergence."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.training.feed import make_feed
from frostline.training.fit import Inputs, TrainingDiverged, average_features, even_batches, train_epoch

VALUES = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
LABELS = (VALUES[:, 0] > 0).astype(np.int64)
FEED = make_feed([VALUES], np.arange(20), 10**9)
INPUTS = Inputs([FEED], LABELS, np.ones(2, dtype=np.float32))


def network():
    values = keras.Input((6,))
    output = keras.layers.Dense(2, "softmax", name="last")(keras.layers.Dense(8, "relu")(values))
    model = keras.Model([values], output)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


@given(count=st.integers(1, 300), batch_size=st.integers(1, 64))
def test_batches_have_one_length_and_leave_no_position_out(count, batch_size):
    batches = list(even_batches(count, batch_size))
    assert {len(batch) for batch in batches} == {len(batches[0])}
    assert len(batches[0]) <= batch_size
    positions = np.concatenate(batches)
    assert set(positions) == set(range(count))
    assert len(positions) < count + len(batches)


@pytest.mark.parametrize("count", [1, 19, 33, 64])
@pytest.mark.parametrize("views", [1, 3])
def test_features_are_averaged_over_the_first_views_whatever_the_batches(count, views):
    model = network()
    sources = [VALUES * factor for factor in (1, -2, 3, 50)]
    inputs = Inputs([make_feed(sources, np.arange(20), 10**9)], LABELS, np.ones(2, dtype=np.float32))
    rows = np.random.default_rng(count).integers(20, size=count)
    expected = np.mean([model.predict([source[rows]], verbose=0) for source in sources[:views]], axis=0)
    found = average_features(model, inputs, rows, views)
    assert (found.dtype, found.shape) == (np.float32, (count, 2))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_network_of_two_inputs_gets_both_of_each_image_under_one_view():
    first, second = ([VALUES[:, :2] * factor for factor in factors] for factors in ((1, 2), (10, 20)))
    inputs = Inputs([make_feed(each, np.arange(20), 10**9) for each in (first, second)], LABELS, np.ones(2))
    rows, views = np.array([3, 3, 7]), np.array([0, 1, 1])
    one, ten = inputs.batch(rows, views)
    np.testing.assert_array_equal(one, VALUES[rows, :2] * (1 + views[:, None]))
    np.testing.assert_array_equal(ten, one * 10)


def test_every_view_is_trained_on_and_labels_follow_their_images():
    class Recorder:
        def __init__(self):
            self.seen = []

        def train_on_batch(self, inputs, y, sample_weight):
            (x,) = inputs
            self.seen += [(tuple(row), label, weight) for row, label, weight in zip(x, y, sample_weight, strict=True)]
            return 0.5

    views = [np.stack([np.arange(20), np.full(20, number)], axis=1) for number in range(3)]
    recorder = Recorder()
    feed = make_feed(views, np.arange(20), 10**9)
    inputs = Inputs([feed], np.arange(20) % 2, np.array([1.0, 3.0], dtype=np.float32))
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
