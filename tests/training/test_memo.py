"""What was trained before is read, and is what training again would give; whatever differs is trained."""

from contextlib import suppress

import numpy as np
import pytest
from points import head, point

from frostline.cache.folder import CacheFolder
from frostline.training.memo import Memo
from frostline.training.trial import Trainer

THAWED = point(blocks=(2, 3), freeze_depth=2)
RANDOM = point(init="random", blocks=(1,), freeze_depth=0)
SEED = 3


class Stopped(Exception):
    pass


@pytest.fixture
def remembering(make_trainer, monkeypatch):
    """`remembering()`: a trainer with a memo in one folder, and the list of what it began to train.

    Options change the values of training. With `only_begin` it raises Stopped instead of training.
    """

    def make(only_begin: bool = False, **options):
        setup = make_trainer(**options).setup
        begun = []
        real = setup.begin

        def begin(*given):
            begun.append(given[0])
            if only_begin:
                raise Stopped
            return real(*given)

        monkeypatch.setattr(setup, "begin", begin)
        return Trainer(setup, Memo(setup, setup.cache.folder, 10**9)), begun

    return make


def files(tmp_path, kind):
    return sorted((tmp_path / "cache").glob(f"*/{kind}-*.values"))


def outcome(validation):
    return validation.history, validation.epochs, validation.certainty.tolist(), validation.correct.tolist()


def told(watcher):
    epochs = [(history, certainty.tolist(), settled) for history, certainty, settled in watcher.epochs]
    return epochs, [(history, certainty.tolist()) for history, certainty in watcher.folds]


@pytest.mark.parametrize(("settings", "folds_up_to"), [(THAWED, 200), (RANDOM, 0)])
def test_a_trial_that_was_trained_is_read_and_is_the_same(remembering, watcher, tmp_path, settings, folds_up_to):
    first, begun = remembering(folds_up_to=folds_up_to)
    trained = outcome(first.validate(settings, SEED, watcher))
    assert len(begun) == len(first.cell.folds) == len(files(tmp_path, "fold"))
    expected = told(watcher)
    again, begun = remembering(folds_up_to=folds_up_to)
    watcher.__init__()
    assert outcome(again.validate(settings, SEED, watcher)) == trained
    assert not begun
    assert told(watcher) == expected
    assert outcome(Trainer(again.setup).validate(settings, SEED, watcher)) == trained


@pytest.mark.parametrize("settings", [THAWED, RANDOM])
def test_a_network_that_was_trained_is_read_and_is_the_same(remembering, tmp_path, monkeypatch, settings):
    trained = remembering()[0].refit(settings, 2, SEED)
    again, begun = remembering()
    monkeypatch.setattr(again.heads, "fit", lambda *_: pytest.fail("all its weights are known"))
    network = again.refit(settings, 2, SEED)
    assert not begun
    assert len(files(tmp_path, "network")) == 1
    for mine, theirs in zip(network.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    images = again.cell.packed.images[:4]
    np.testing.assert_array_equal(network.predict_on_batch(images), trained.predict_on_batch(images))


def test_a_trial_that_was_ended_early_is_trained_to_its_end(remembering, watcher):
    class Impatient(type(watcher)):
        def epoch(self, *_, **__):
            raise Stopped

    trainer, begun = remembering(folds_up_to=0)
    for _ in range(2):
        with pytest.raises(Stopped):
            trainer.validate(THAWED, SEED, Impatient())
        assert len(begun) == 1  # the second time its epoch is read
    whole = outcome(trainer.validate(THAWED, SEED, watcher))
    assert len(begun) == 2
    assert [len(history) for history, _, _ in watcher.epochs] == [1, 2, 3]
    assert outcome(trainer.validate(THAWED, SEED, watcher)) == whole
    assert len(begun) == 2
    assert outcome(Trainer(trainer.setup).validate(THAWED, SEED, watcher)) == whole


def test_more_epochs_begin_with_those_that_are_known(remembering, watcher, tmp_path):
    for epochs, begins in ((2, 1), (3, 1), (2, 0), (3, 0)):
        trainer, begun = remembering(folds_up_to=0, epochs=epochs)
        watcher.__init__()
        trainer.validate(THAWED, SEED, watcher)
        history, _, _ = watcher.epochs[-1]
        assert (len(history), len(begun)) == (epochs, begins)
        if epochs == 2:
            two = history
        assert history[:2] == two
    assert len(files(tmp_path, "fold")) == 1


def test_a_training_that_fails_is_known_up_to_there(remembering):
    memo = remembering()[0]._memo

    def failing():
        yield 0.5, np.full((5, 2), 0.25, dtype=np.float32)
        raise Stopped

    for train in (failing, lambda: iter(())):
        epochs = memo.epochs({}, train)
        assert next(epochs)[0] == 0.5
        with suppress(Stopped):
            list(epochs)


@pytest.fixture
def trains(remembering, watcher):
    """`trains()`: whether a training is begun, because none of its kind is known; options change train's."""

    def begins(settings=THAWED, seed=SEED, **options) -> bool:
        trainer, begun = remembering(only_begin=True, **options)
        with suppress(Stopped):
            trainer.validate(settings, seed, watcher)
        return bool(begun)

    return begins


def test_whatever_decides_a_training_makes_it_another(remembering, trains, watcher):
    remembering()[0].validate(THAWED, SEED, watcher)
    changes = ({"backbone_learning_rate": 0.0002}, {"dropout": 0.3}, {"test_views": "identity"}, {"blocks": (3,)})
    for change in changes:
        assert trains(THAWED.model_copy(update=change)), change
    assert trains(seed=SEED + 1)
    for option in ({"batch_size": 4}, {"warmup": 0}, {"folds": 4}, {"repeats": 1}, {"class_weights": False}):
        assert trains(**option), option
    assert not trains(patience=1, resident_gigabytes=0, epochs=2)


def test_a_change_of_the_code_makes_it_another(remembering, trains, watcher, monkeypatch):
    remembering(folds_up_to=0)[0].validate(THAWED, SEED, watcher)
    assert not trains(folds_up_to=0)
    monkeypatch.setattr("frostline.provenance._source", lambda _: "other code")
    assert trains(folds_up_to=0)


def test_no_changed_byte_passes_for_what_was_written(remembering, tmp_path):
    memo = remembering()[0]._memo
    epochs = [(0.5, np.full((5, 2), 0.25, dtype=np.float32))]
    assert len(list(memo.epochs({}, lambda: iter(epochs)))) == 1
    ((loss, _),) = memo.epochs({}, lambda: iter(()))  # known: nothing need be trained
    assert loss == 0.5
    (file,) = files(tmp_path, "fold")
    whole = file.read_bytes()
    for position in range(len(whole)):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 0x80]) + whole[position + 1 :])
        assert list(memo.epochs({}, lambda: iter(()))) == [], position
        file.write_bytes(whole[:position])
        assert list(memo.epochs({}, lambda: iter(()))) == [], position


def test_a_damaged_file_is_trained_again(remembering, watcher, tmp_path):
    trainer, begun = remembering()
    trained = outcome(trainer.validate(THAWED, SEED, watcher))
    file = files(tmp_path, "fold")[0]
    whole = file.read_bytes()
    for damaged in (b"", whole[:-40], whole[:90] + b"?" + whole[91:]):
        file.write_bytes(damaged)
        begun.clear()
        assert outcome(trainer.validate(THAWED, SEED, watcher)) == trained
        assert len(begun) == 1


def test_heads_are_not_kept_nor_what_is_above_the_limit(remembering, watcher, tmp_path):
    trainer, begun = remembering(folds_up_to=0)
    trainer.validate(head(), SEED, watcher)
    trainer.refit(head(), 0, SEED)
    assert not begun
    assert {file.name.partition("-")[0] for file in files(tmp_path, "*")} == {"pooled"}
    tight = Memo(trainer.setup, CacheFolder(tmp_path / "cache"), 100)
    Trainer(trainer.setup, tight).validate(THAWED, SEED, watcher)
    assert not files(tmp_path, "fold")


def test_what_was_trained_counts_in_the_cache_and_is_pruned(remembering, tmp_path):
    remembering()[0].refit(THAWED, 1, SEED)
    folder = CacheFolder(tmp_path / "cache")
    (entry,) = (entry for entry in folder.entries() if entry.name.startswith("network-"))
    assert entry.bytes > 1e6
    assert entry.identity["backbone"] == "VGG16"
    folder.prune(0)
    assert not files(tmp_path, "network")
