"""What was trained before is read, and is what training again would give; whatever differs is trained."""

from contextlib import suppress

import numpy as np
import pytest
from points import point

from frostline.cache.folder import CacheFolder
from frostline.cache.prefix import PrefixCache
from frostline.config.schema import BackboneConfig
from frostline.training.cell import make_cell
from frostline.training.memo import Memo
from frostline.training.setup import Setup
from frostline.training.trial import Trainer

THAWED = point(keep=3, freeze_depth=2)
RANDOM = THAWED.model_copy(update={"init": "random", "keep": 1, "freeze_depth": 0})
HEAD = THAWED.model_copy(update={"freeze_depth": 3})
SEED = 3


class Stopped(Exception):
    pass


@pytest.fixture
def make_trainer(packed_cells, train_config, tmp_path, monkeypatch):
    """`make_trainer()`: with a memo in one folder, and the list of what it began to train; options change train's.

    With `only_begin` it raises Stopped instead of training.
    """

    def make(only_begin: bool = False, **options):
        train = train_config.model_copy(update=options)
        cell = make_cell(packed_cells(32), 12, train, seed=20)
        cache = PrefixCache(tmp_path / "cache", 10**9)
        setup = Setup(cell, "vgg16", BackboneConfig(image_size=32), train, cache, seed=20)
        begun = []
        real = setup.begin

        def begin(*given):
            begun.append(given[0])
            if only_begin:
                raise Stopped
            return real(*given)

        monkeypatch.setattr(setup, "begin", begin)
        return Trainer(setup, Memo(setup, cache.folder, 10**9)), begun

    return make


def files(tmp_path, kind):
    return sorted((tmp_path / "cache").glob(f"*/{kind}-*.values"))


@pytest.mark.parametrize(("settings", "folds_up_to"), [(THAWED, 200), (RANDOM, 0)])
def test_a_trial_that_was_trained_is_read_and_is_the_same(make_trainer, watcher, tmp_path, settings, folds_up_to):
    first, begun = make_trainer(folds_up_to=folds_up_to)
    trained = first.validate(settings, SEED, watcher)
    assert len(begun) == len(first.cell.folds) == len(files(tmp_path, "fold"))
    told = (list(watcher.epochs), [each[:2] for each in watcher.folds])
    again, begun = make_trainer(folds_up_to=folds_up_to)
    watcher.epochs.clear()
    watcher.folds.clear()
    assert again.validate(settings, SEED, watcher) == trained
    assert not begun
    assert (watcher.epochs, [each[:2] for each in watcher.folds]) == told
    assert Trainer(again.setup).validate(settings, SEED, watcher) == trained


def test_a_network_that_was_trained_is_read_and_is_the_same(make_trainer, tmp_path):
    trained = make_trainer()[0].refit(THAWED, 2, SEED)
    again, begun = make_trainer()
    network = again.refit(THAWED, 2, SEED)
    assert not begun
    assert len(files(tmp_path, "network")) == 1
    for mine, theirs in zip(network.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    images = again.cell.packed.images[:4]
    np.testing.assert_array_equal(network.predict_on_batch(images), trained.predict_on_batch(images))


def test_a_trial_that_was_ended_early_is_trained_to_its_end(make_trainer, watcher):
    class Impatient(type(watcher)):
        def epoch(self, *_):
            raise Stopped

    trainer, begun = make_trainer(folds_up_to=0)
    for _ in range(2):
        with pytest.raises(Stopped):
            trainer.validate(THAWED, SEED, Impatient())
        assert len(begun) == 1  # the second time its epoch is read
    whole = trainer.validate(THAWED, SEED, watcher)
    assert len(begun) == 2
    assert [epoch for epoch, _ in watcher.epochs] == [1, 2, 3]
    assert trainer.validate(THAWED, SEED, watcher) == whole
    assert len(begun) == 2
    assert Trainer(trainer.setup).validate(THAWED, SEED, watcher) == whole


@pytest.fixture
def trains(make_trainer, watcher):
    """`trains()`: whether a training is begun, because none of its kind is known; options change train's."""

    def begins(settings=THAWED, seed=SEED, **options) -> bool:
        trainer, begun = make_trainer(only_begin=True, **options)
        with suppress(Stopped):
            trainer.validate(settings, seed, watcher)
        return bool(begun)

    return begins


def test_whatever_decides_a_training_makes_it_another(make_trainer, trains, watcher):
    make_trainer()[0].validate(THAWED, SEED, watcher)
    for change in ({"backbone_learning_rate": 0.0002}, {"dropout": 0.3}, {"views": "identity"}):
        assert trains(THAWED.model_copy(update=change)), change
    assert trains(seed=SEED + 1)
    for option in ({"batch_size": 4}, {"head_epochs": 1}, {"folds": 4}, {"epochs": 2}, {"class_weights": False}):
        assert trains(**option), option
    assert not trains(patience=2, resident_gigabytes=0)


def test_a_change_of_the_code_makes_it_another(make_trainer, trains, watcher, monkeypatch):
    make_trainer(folds_up_to=0)[0].validate(THAWED, SEED, watcher)
    assert not trains(folds_up_to=0)
    monkeypatch.setattr("frostline.provenance._source", lambda _: "other code")
    assert trains(folds_up_to=0)


def test_no_changed_byte_passes_for_what_was_written(make_trainer, tmp_path):
    trainer, _ = make_trainer()
    memo = Memo(trainer.setup, CacheFolder(tmp_path / "cache"), 10**9)
    epochs = [(0.5, np.full((5, 2), 0.25, dtype=np.float32))]
    assert len(list(memo.epochs({}, lambda: iter(epochs), 1))) == 1
    ((loss, _),) = memo.epochs({}, list, 1)  # known: nothing need be trained
    assert loss == 0.5
    (file,) = files(tmp_path, "fold")
    whole = file.read_bytes()
    for position in range(len(whole)):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 0x80]) + whole[position + 1 :])
        assert list(memo.epochs({}, list, 1)) == [], position
        file.write_bytes(whole[:position])
        assert list(memo.epochs({}, list, 1)) == [], position


def test_a_damaged_file_is_trained_again(make_trainer, watcher, tmp_path):
    trainer, begun = make_trainer()
    trained = trainer.validate(THAWED, SEED, watcher)
    file = files(tmp_path, "fold")[0]
    whole = file.read_bytes()
    for damaged in (b"", whole[:-40], whole[:90] + b"?" + whole[91:]):
        file.write_bytes(damaged)
        begun.clear()
        assert trainer.validate(THAWED, SEED, watcher) == trained
        assert len(begun) == 1


def test_heads_are_not_kept_nor_what_is_above_the_limit(make_trainer, watcher, tmp_path):
    trainer, begun = make_trainer(folds_up_to=0)
    trainer.validate(HEAD, SEED, watcher)
    trainer.validate(HEAD, SEED, watcher)
    assert len(begun) == 2
    tight = Memo(trainer.setup, CacheFolder(tmp_path / "cache"), 100)
    Trainer(trainer.setup, tight).validate(THAWED, SEED, watcher)
    assert not files(tmp_path, "fold")


def test_what_was_trained_counts_in_the_cache_and_is_pruned(make_trainer, tmp_path):
    make_trainer()[0].refit(THAWED, 1, SEED)
    folder = CacheFolder(tmp_path / "cache")
    (entry,) = (entry for entry in folder.entries() if entry.name.startswith("network-"))
    assert entry.bytes > 1e6
    assert entry.identity["backbone"] == "VGG16"
    folder.prune(0)
    assert not files(tmp_path, "network")
