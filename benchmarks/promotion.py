"""The gate on the real default: the models of `make repro`, and one that was trained on shuffled labels.

    make repro && python benchmarks/promotion.py

In a store of its own (`.cache/promotion/`): the small cell's model becomes champion by the floors; one like the large
cell's, but trained on labels in another order, must be refused; the large cell's model challenges the champion; and a
rollback must restore the very bytes that were served before. Prints every check, and ends with an error if the shuffled
one passes, or if a promotion followed by a rollback changes a byte of what is served.
"""

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from frostline.runtime.environment import set_defaults

set_defaults()

import numpy as np

from frostline.backbones.weights import digest
from frostline.cache.prefix import PrefixCache
from frostline.config.load import load_config
from frostline.config.schema import Config
from frostline.data.packed import read_packed
from frostline.data.sources import open_source
from frostline.data.test_set import TestSet, read_test_set
from frostline.records.train_record import TrainRecord, write_training_images
from frostline.registry.history import Author, read
from frostline.registry.models import load_champion, predict, register_challenger
from frostline.registry.promotion import Outcome, RegisteredModel, promote, rollback
from frostline.report.results import CellResult, read_results
from frostline.tracking.lineage import lineage_tags, user
from frostline.tracking.runs import Tracker
from frostline.training.cell import make_cell
from frostline.training.settings import TrialSettings
from frostline.training.setup import Setup
from frostline.training.trial import Trainer
from machine import describe

WORK = Path(".cache/promotion")
SERVED = 32


def main() -> None:
    config = load_config()
    shutil.rmtree(WORK, ignore_errors=True)
    stores = config.stores.model_copy(update={"tracking": f"sqlite:///{WORK}/mlflow.db"})
    small, large = sorted(read_results(config), key=lambda result: result.record.per_class)[:2]
    dataset = small.record.dataset
    tracker = Tracker.open(stores, dataset)
    model = RegisteredModel(tracker, dataset, WORK)
    test_set = read_test_set(Path("data/prepared") / dataset, open_source(config.dataset(dataset)))

    def challenge(what: str, record: TrainRecord, folder: Path) -> Outcome:
        run = tracker.study_run(what, what, 1, {})
        register_challenger(tracker, record.model_copy(update={"run_id": run.id}), folder, config.prepare)
        author = Author(who=user(), why=what, lineage=lineage_tags())
        outcome = promote(model, test_set, config.promotion, author, seed=config.seed)
        print(f"\n{what}: {'promoted' if outcome.moved else 'refused'}, on {outcome.verdict.images} test images")
        for check in outcome.verdict.checks:
            print(f"  {'passed ' if check.passed else 'refused'}  {check.name}: {check.reason}")
        return outcome

    challenge(f"{small.record.name}, the first", small.record, small.model)
    before = served(tracker, dataset, test_set)
    with tempfile.TemporaryDirectory() as folder:
        shuffled = train_on_shuffled_labels(config, large, Path(folder))
        if challenge(f"{large.record.name} on shuffled labels", shuffled, Path(folder)).moved:
            raise SystemExit("The gate let a model pass that was trained on shuffled labels.")
    if challenge(f"{large.record.name}", large.record, large.model).moved:
        record = rollback(model, Author(who=user()))
        print(f"\nRolled back to version {record.version}.")
    if served(tracker, dataset, test_set) != before:
        raise SystemExit("What is served is not what was served before.")
    print("What is served is to the byte what was served before.")
    history = read(tracker.client, f"frostline-{dataset}")
    print("History:", "; ".join(f"{each.action} {each.version} (before: {each.before})" for each in history))
    print(f"\n{describe()}")


def train_on_shuffled_labels(config: Config, like: CellResult, folder: Path) -> TrainRecord:
    """A model with the settings of `like`, whose images keep their number of labels and lose their own."""
    record = like.record
    packed = read_packed(Path("data/packed") / f"{record.dataset}-{record.backbone}")
    cell = make_cell(packed, record.per_class, config.train, config.seed)
    labels = packed.labels.copy()
    labels[cell.all_rows] = np.random.default_rng(config.seed).permutation(labels[cell.all_rows])
    cell = replace(cell, packed=replace(packed, labels=labels))
    cache = PrefixCache(config.stores.cache, int(config.stores.cache_gigabytes * 1e9))
    backbone = config.backbone(record.backbone)
    trainer = Trainer(Setup(cell, record.backbone, backbone, config.train, cache, config.seed))
    settings = TrialSettings(**{name: getattr(record.best, name) for name in TrialSettings.__dataclass_fields__})
    network = trainer.refit(settings, record.best.epochs, config.seed)
    network.save(folder / "model.keras")
    write_training_images(folder, packed.index["sha256"].iloc[cell.all_rows])
    return record.model_copy(update={"fingerprints": record.fingerprints.model_copy(update={"model": digest(network)})})


def served(tracker: Tracker, dataset: str, test_set: TestSet) -> tuple[str, list[float]]:
    """A digest of every file of the champion, and what it answers to a few pictures."""
    champion = load_champion(tracker, dataset)
    whole = hashlib.sha256()
    for file in sorted(champion.folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            whole.update(str(file.relative_to(champion.folder)).encode() + file.read_bytes())
    return whole.hexdigest(), predict(champion.model, test_set.paths[:SERVED])["probability"].tolist()


if __name__ == "__main__":
    main()
