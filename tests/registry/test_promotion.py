"""Promotion and rollback in a real registry, by real answers to real pictures."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from frostline.config.schema import PromotionConfig
from frostline.data.images import load_square
from frostline.data.test_set import TestSet
from frostline.errors import DataError, RegistryError
from frostline.records.train_record import write_training_images
from frostline.registry.history import Author, read
from frostline.registry.models import load_champion, predict, register_challenger
from frostline.registry.package import Candidate
from frostline.registry.promotion import RegisteredModel, promote, rollback
from frostline.tracking.runs import Tracker

SIDE = 32
ME = Author(who="ada", why="it was time", lineage={"git_commit": "c" * 40})
CONFIG = PromotionConfig(
    metric="accuracy", level=0.05, calibration_error=1, latency=100, floors={"balanced_accuracy": 0.6}
)


def brightness(file: Path) -> float:
    return float(load_square(file, SIDE, "stretch", min_side=16, max_pixels=10**6).mean())


@pytest.fixture(scope="module")
def test_set(cells: list[Path]) -> TestSet:
    """40 real pictures, of which the brighter half is `light`."""
    bright = np.array([brightness(file) for file in cells])
    digests = tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in cells)
    labels = (bright > np.median(bright)).astype(np.int64)
    return TestSet(tuple(cells), labels, np.arange(len(cells)).astype(str), digests, ("dark", "light"))


@pytest.fixture
def registry(stores, tmp_path, limits, make_record, test_set, monkeypatch):
    """`add(right)`: register a network that knows dark from light (or takes one for the other) as challenger."""
    import keras

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracker = Tracker.open(stores, tmp_path.name)
    threshold = float(np.median([brightness(file) for file in test_set.paths])) / 255

    class Registry:
        dataset = tmp_path.name
        locks = tmp_path / "locks"

        def add(self, right: bool, *, trained_on=(), classes=("dark", "light"), sharpness: float = 30, limits=limits):
            folder = tmp_path / f"model-{len(list(tmp_path.glob('model-*')))}"
            folder.mkdir()
            inputs = keras.Input((SIDE, SIDE, 3))
            pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
            head = keras.layers.Dense(len(classes), activation="softmax")
            network = keras.Model(inputs, head(pooled))
            slope = sharpness if right else -sharpness
            kernel, bias = np.zeros((3, len(classes))), np.zeros(len(classes))
            kernel[:, 1], bias[1], bias[2:] = slope / 3, -slope * threshold, -50
            head.set_weights([kernel, bias])
            network.save(folder / "model.keras")
            write_training_images(folder, trained_on)
            study = tracker.start(folder.name, {})
            record = make_record(f"{folder}", study.id, dataset=self.dataset, classes=classes)
            return register_challenger(tracker, Candidate(record, folder, limits)), study.id

        def promote(self, images: TestSet = test_set, **options):
            return promote(RegisteredModel(tracker, self.dataset, self.locks), images, CONFIG, ME, seed=1, **options)

        def rollback(self):
            return rollback(RegisteredModel(tracker, self.dataset, self.locks), ME)

        def aliases(self) -> dict[str, str]:
            found = tracker.client.get_registered_model(f"frostline-{self.dataset}").aliases
            return {alias: str(version) for alias, version in found.items()}

        def history(self):
            return read(tracker.client, f"frostline-{self.dataset}")

    Registry.tracker = tracker
    return Registry()


def served(registry, paths) -> tuple[str, list[float]]:
    """A digest of all files of the champion, and what it answers."""
    tracker = registry.tracker
    version = tracker.client.get_model_version_by_alias(f"frostline-{registry.dataset}", "champion")
    source = tracker.client.get_model_version_download_uri(version.name, version.version).removeprefix("file://")
    digest = hashlib.sha256()
    for file in sorted(file for file in Path(source).rglob("*") if file.is_file() and "__pycache__" not in file.parts):
        digest.update(str(file.relative_to(source)).encode() + file.read_bytes())
    answers = predict(load_champion(tracker, registry.dataset).model, paths)
    return digest.hexdigest(), answers["probability_light"].tolist()


def test_the_way_of_a_champion_and_back(registry, test_set):
    registry.add(right=False)
    first = registry.promote()
    assert not first.moved
    assert registry.aliases() == {"challenger": "1"}
    assert registry.history() == []

    registry.add(right=True, sharpness=1)
    assert registry.promote().moved
    assert registry.aliases() == {"challenger": "2", "champion": "2"}
    before = served(registry, test_set.paths[:5])

    registry.add(right=False)
    worse = registry.promote()
    assert not worse.moved
    assert [check.name for check in worse.verdict.checks if not check.passed] == [
        "floor of balanced_accuracy",
        "accuracy (randomisation)",
        "accuracy (bootstrap)",
    ]
    assert registry.aliases() == {"challenger": "3", "champion": "2"}

    (only,) = registry.history()
    assert (only.action, only.version, only.before, only.author) == ("promoted", "2", None, ME)
    assert served(registry, test_set.paths[:5]) == before
    described = registry.tracker.client.get_registered_model(f"frostline-{registry.dataset}").description
    assert "Version 2 is champion: promoted by ada" in described
    assert "- floor of balanced_accuracy: 1.000; at least 0.6" in described


def test_a_better_one_takes_over_and_rollback_serves_the_very_bytes_of_before(registry, test_set):
    confused = TestSet(test_set.paths, 1 - test_set.labels, test_set.groups, test_set.sha256, test_set.classes)
    registry.add(right=False)
    assert registry.promote(confused).moved  # by its own lights
    before = served(registry, test_set.paths[:5])

    registry.add(right=True)
    outcome = registry.promote()
    assert outcome.moved
    assert registry.aliases() == {"challenger": "2", "champion": "2", "previous": "1"}
    assert served(registry, test_set.paths[:5]) != before
    last = registry.history()[-1]
    assert (last.version, last.before, last.author.why) == ("2", "1", "it was time")
    assert last.numbers["gained"] == len(test_set.paths)
    assert last.checks["accuracy (randomisation)"].startswith("1.000 against 0.000")

    record = registry.rollback()
    assert (record.action, record.version, record.before) == ("rolled back", "1", "2")
    assert registry.aliases() == {"challenger": "2", "champion": "1"}
    assert served(registry, test_set.paths[:5]) == before
    assert [each.action for each in registry.history()] == ["promoted", "promoted", "rolled back"]
    with pytest.raises(RegistryError, match="has no champion before this one to go back to"):
        registry.rollback()


def test_the_history_outlives_the_runs_that_it_is_about(registry):
    _, run_id = registry.add(right=True)
    registry.promote()
    registry.tracker.client.delete_run(run_id)
    assert [record.version for record in registry.history()] == ["1"]


def test_a_dry_run_moves_nothing_and_a_champion_is_not_promoted_again(registry):
    registry.add(right=True)
    tried = registry.promote(dry_run=True)
    assert (tried.verdict.passed, tried.moved) == (True, False)
    assert registry.aliases() == {"challenger": "1"}
    registry.promote()
    again = registry.promote()
    assert (again.verdict, again.moved) == (None, False)
    assert len(registry.history()) == 1


def test_nobody_is_judged_by_pictures_that_either_was_trained_on(registry, test_set):
    registry.add(right=True, trained_on=test_set.sha256[:10])
    assert registry.promote().verdict.images == 30
    registry.add(right=False, trained_on=test_set.sha256[5:15])
    assert registry.promote().verdict.images == 25
    registry.add(right=True, trained_on=test_set.sha256[10:])
    with pytest.raises(RegistryError, match="every test image, or a near copy of it, was used to train version 3 or 1"):
        registry.promote()


def test_a_class_that_the_champion_does_not_know_counts_against_it(registry, test_set):
    registry.add(right=True, classes=("dark", "light"))
    registry.promote()
    registry.add(right=True, classes=("dark", "light", "odd"))
    more = TestSet(test_set.paths, test_set.labels, test_set.groups, test_set.sha256, ("dark", "light", "odd"))
    verdict = registry.promote(more).verdict
    assert verdict.numbers["champion_accuracy"] == verdict.numbers["challenger_accuracy"] == 1


def test_of_two_promotions_at_once_one_says_so(registry):
    registry.add(right=True)
    registry.locks.mkdir()
    with (
        FileLock(registry.locks / f"frostline-{registry.dataset}.lock"),
        pytest.raises(
            RegistryError, match=r"Another registration, promotion or rollback of .* is under way on this machine"
        ),
    ):
        registry.promote()
    assert registry.promote().moved


def test_aliases_that_somebody_moves_meanwhile_stay_where_they_put_them(registry, test_set):
    registry.add(right=True)
    registry.add(right=True)
    client, name = registry.tracker.client, f"frostline-{registry.dataset}"

    class Meanwhile(TestSet):
        def without(self, sha256):
            client.set_registered_model_alias(name, "champion", "1")
            return super().without(sha256)

    fields = (test_set.paths, test_set.labels, test_set.groups, test_set.sha256, test_set.classes)
    with pytest.raises(RegistryError, match=r"was changed by somebody else meanwhile \(champion is now version 1"):
        registry.promote(Meanwhile(*fields))
    assert registry.aliases() == {"challenger": "2", "champion": "1"}
    assert registry.history() == []


def test_a_test_picture_that_is_gone_is_named(registry, test_set, tmp_path):
    registry.add(right=True)
    paths = (tmp_path / "gone.png", *test_set.paths[1:])
    broken = TestSet(paths, test_set.labels, test_set.groups, test_set.sha256, test_set.classes)
    with pytest.raises(DataError, match=r"gone.png cannot be used now: missing.* Run `dvc repro`"):
        registry.promote(broken)


def test_without_a_challenger_there_is_nothing_to_promote(registry):
    registry.add(right=True)
    registry.tracker.client.delete_registered_model_alias(f"frostline-{registry.dataset}", "challenger")
    with pytest.raises(RegistryError, match="has no challenger to promote: run `frostline register"):
        registry.promote()


def test_a_record_that_was_edited_is_named(registry):
    registry.add(right=True)
    registry.promote()
    client, name = registry.tracker.client, f"frostline-{registry.dataset}"
    (tag,) = [tag for tag in client.get_registered_model(name).tags if tag.startswith("frostline.promotion.")]
    client.set_registered_model_tag(name, tag, "{}")
    with pytest.raises(RegistryError, match=rf"The tag {tag} of {name} is no record of a promotion any more"):
        registry.history()


@pytest.mark.parametrize("damage", ["removed", "truncated"])
def test_a_version_whose_files_are_damaged_is_one_clear_error(registry, damage):
    registry.add(right=True)
    registry.promote()
    champion = load_champion(registry.tracker, registry.dataset)
    if damage == "removed":
        shutil.rmtree(champion.folder)
    else:
        champion.network.write_bytes(champion.network.read_bytes()[:500])
    with pytest.raises(RegistryError, match=r"version 1 cannot be loaded: .*Restore its files, or register"):
        load_champion(registry.tracker, registry.dataset)
    with pytest.raises(RegistryError, match=r"version 1 cannot be loaded: .*Restore its files, or register"):
        registry.promote()  # it is challenger too


def test_versions_that_share_no_image_cannot_be_compared(registry, limits):
    registry.add(right=True, sharpness=1)
    registry.promote()
    registry.add(right=True, limits=limits.model_copy(update={"max_pixels": 1}))
    with pytest.raises(RegistryError, match=r"None of 40 test images can be answered to by version 2 and by version 1"):
        registry.promote()


def test_what_one_of_two_cannot_read_is_counted_and_no_metric_sees_it(registry, test_set, tmp_path, limits):
    tiny = tmp_path / "tiny.png"
    Image.new("L", (20, 20), 200).save(tiny)
    rows = {"paths": (tiny, *test_set.paths[1:]), "sha256": ("0" * 64, *test_set.sha256[1:])}
    images = replace(test_set, **rows)
    strict = limits.model_copy(update={"min_side": 30})

    registry.add(right=True, limits=strict)
    first = registry.promote(images)
    assert [check.reason for check in first.verdict.checks if not check.passed] == ["1 cannot be read; at most 0"]
    registry.add(right=False)
    assert registry.promote(replace(images, labels=1 - images.labels)).moved

    registry.add(right=True, limits=strict, trained_on=["f" * 64])
    second = registry.promote(images)
    assert [check.name for check in second.verdict.checks if not check.passed] == ["readable images"]
    assert second.verdict.checks[0].reason == "1 cannot be read against 0; at most 0"

    registry.tracker.client.set_registered_model_alias(f"frostline-{registry.dataset}", "champion", "1")
    registry.add(right=True, sharpness=31)
    third = registry.promote(images, dry_run=True).verdict
    numbers = third.numbers
    assert (numbers["images"], numbers["challenger_unreadable"], numbers["champion_unreadable"]) == (39, 0, 1)
    assert np.isfinite(list(numbers.values())).all()


def test_near_copies_of_what_either_was_trained_on_are_left_out(registry, test_set):
    pairs = np.repeat(np.arange(20), 2).astype(str)
    copies = replace(test_set, groups=pairs, elsewhere={"e" * 64: "19"})
    registry.add(right=True, trained_on=[test_set.sha256[0], "e" * 64, "not in this data set"])
    assert registry.promote(copies).verdict.images == 36


def test_a_champion_that_can_serve_no_longer_is_followed_by_what_reaches_the_floors(registry):
    registry.add(right=True)
    registry.promote()
    shutil.rmtree(load_champion(registry.tracker, registry.dataset).folder)
    registry.add(right=True, sharpness=20)
    outcome = registry.promote()
    assert (outcome.moved, outcome.champion) == (True, None)
    assert "version 1 cannot be loaded: its folder" in outcome.lost
    last = registry.history()[-1]
    assert (last.before, last.checks["champion"]) == ("1", outcome.lost)
    with pytest.raises(RegistryError, match="has no champion before this one to go back to"):
        registry.rollback()
