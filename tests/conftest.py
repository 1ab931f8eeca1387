"""What tests of several rooms need: an order, real pictures, stores, and small models with their records."""

import signal
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from frostline.config.schema import PrepareConfig, StoresConfig
from frostline.data.images import load_square
from frostline.data.packed import PackedImages
from frostline.data.sources.elpv import ElpvSource
from frostline.records.train_record import TrainRecord, write_training_images

pytest_plugins = ["servers"]

SIDE = 32
LONGEST = (
    "test_benchmarks.py",
    "test_pipeline.py",
    "test_shared_stores.py",
    "test_backends.py",
    "test_parity.py",
    "test_cluster.py",
    "test_repro_on_cluster.py",
    "test_gate.py",
    "test_advise.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process is left alone with one of them at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="module")
def heeded_signals() -> Iterator[None]:
    """Programs that tests start heed signals, though nohup, or a shell in the background, started the tests."""
    unheeded = [each for each in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(each) == signal.SIG_IGN]
    for number in unheeded:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in unheeded:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session")
def solar_cells() -> list[Path]:
    """Files of the 2,624 solar cells, by name."""
    return sorted((ElpvSource.find(0.5).root / "images").glob("*.png"))


@pytest.fixture(scope="session")
def packed_cells(solar_cells: list[Path]):
    """`packed_cells(size, count)`: the first `count` cells at `size` pixels, in two classes by brightness."""

    def pack(size: int, count: int = 24) -> PackedImages:
        files = solar_cells[:count]
        images = np.stack([load_square(file, size, "stretch", min_side=16, max_pixels=10**6) for file in files])
        brightness = images.mean(axis=(1, 2, 3))
        labels = (brightness > np.median(brightness)).astype(np.int64)
        names = [file.name for file in files]
        index = pd.DataFrame(
            {
                "image": names,
                "label": np.array(["dark", "light"])[labels],
                "split": "train",
                "group": names,
                "sha256": names,
            }
        )
        return PackedImages(images, labels, index, ("dark", "light"), size, "stretch", f"{size}-{count}")

    return pack


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development images beside the repository, which is not part of it."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: development images lie outside the repository")
    return folder


@pytest.fixture
def prepare_config() -> PrepareConfig:
    """The committed values, but for a pixel limit that small files can exceed."""
    return PrepareConfig(
        test_fraction=0.25, min_side=16, max_pixels=1_000_000, min_images_per_class=10, near_duplicate_bits=2
    )


@pytest.fixture(scope="session")
def record_fields() -> dict[str, Any]:
    """What train.json holds."""
    settings = {
        "init": "pretrained",
        "blocks": [3, 4],
        "freeze_depth": 4,
        "pooling": "both",
        "views": "mirror",
        "test_views": "mirror",
        "head_learning_rate": None,
        "backbone_learning_rate": None,
        "dropout": None,
        "members": [],
    }
    return {
        "dataset": "solar_cells",
        "size": "small",
        "per_class": 50,
        "images": 100,
        "backbone": "vgg16",
        "image_size": 96,
        "resize": "stretch",
        "classes": ["defective", "functional"],
        "levels": {"integers": None, "floats": [0.0, 1.0]},
        "best": {
            "trial": 3,
            "strategy": "start_of_convnet",
            "settings": settings,
            "epochs": 0,
            "temperature": 1.25,
        },
        "guide": {
            "regime": "small-different",
            "recommended": ["start_of_convnet"],
            "strategy": "start_of_convnet",
            "trial": 1,
            "complete": True,
            "validation": 0.78,
            "settings": settings | {"blocks": [4]},
        },
        "validation": {
            "balanced_accuracy": 0.82,
            "corrected": {"value": 0.8, "low": 0.7, "high": 0.9},
            "scheme": "5-fold",
        },
        "trials": {"complete": 9, "pruned": 2, "failed": 1},
        "groups": [
            {"group": "heads", "trials": 9, "score": 0.82, "standard_error": 0.02, "decided": True, "minutes": None},
            {"group": "all blocks", "trials": 3, "score": None, "standard_error": None, "decided": False, "minutes": 9},
        ],
        "seconds": 61.5,
        "run_id": "0" * 32,
        "experiment_id": "1",
        "study_name": "solar_cells-small-vgg16-aaaaaaaa",
        "fingerprints": {"data": "d", "weights": "w", "study": "s", "model": "m"},
    }


@pytest.fixture(scope="session")
def cells() -> list[Path]:
    """Files of a few real solar-cell pictures."""
    spec = util.find_spec("elpv_dataset")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package elpv-dataset is not installed")
    return sorted((Path(spec.submodule_search_locations[0]) / "data" / "images").glob("*.png"))[:40]


@pytest.fixture(scope="session")
def limits() -> PrepareConfig:
    return PrepareConfig(
        test_fraction=0.25, min_side=16, max_pixels=10**6, min_images_per_class=2, near_duplicate_bits=0
    )


@pytest.fixture(scope="session")
def stores_in():
    """`stores_in(folder)`: SQLite and a cache in it."""

    def make(folder: Path) -> StoresConfig:
        databases = {"tracking": f"sqlite:///{folder}/mlflow.db", "studies": f"sqlite:///{folder}/optuna.db"}
        return StoresConfig(**databases, cache=folder, cache_gigabytes=1)

    return make


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, stores_in) -> StoresConfig:
    return stores_in(tmp_path_factory.mktemp("stores"))


@pytest.fixture
def tracker(stores: StoresConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from frostline.tracking.runs import Tracker

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Tracker.open(stores, "solar_cells")


@pytest.fixture(scope="session")
def make_network(cells: list[Path]):
    """Save a small real network with weights of the given seed, to which solar cells are familiar; its fingerprint."""
    import keras
    import numpy as np

    from frostline.backbones.readout import add_head, compress, read_out
    from frostline.backbones.tapped import tap
    from frostline.backbones.weights import digest
    from frostline.data.images import load_square
    from frostline.records.familiarity import Familiarity
    from frostline.statistics.familiar import fit_familiar

    squares = np.stack([load_square(cell, SIDE, "stretch", min_side=16, max_pixels=10**6) for cell in cells])

    def make(folder: Path, seed: int) -> str:
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((SIDE, SIDE, 3))
        maps = keras.layers.AveragePooling2D(4)(keras.layers.Rescaling(1 / 255)(inputs))
        outputs, _ = add_head(read_out([maps], "both"), 2, dropout=0.3, seed=seed)
        folder.mkdir(parents=True, exist_ok=True)
        network = keras.Model(inputs, outputs)
        network.save(folder / "model.keras")
        write_training_images(folder, [])
        vectors = compress(np.asarray(tap(network, "average_pooling2d").predict_on_batch(squares)))
        familiar = fit_familiar(vectors, np.arange(40) % 2, [(np.arange(20), np.arange(20, 40))])
        Familiarity("average_pooling2d", familiar).write(folder)
        return digest(network)

    return make


@pytest.fixture(scope="session")
def make_record(record_fields: dict[str, Any]):
    """A record of a model of solar_cells, with some of its fields replaced."""

    def make(model: str, run_id: str, **changes: object) -> TrainRecord:
        fingerprints = {"data": changes.pop("data", "d" * 64), "weights": "w", "study": "s", "model": model}
        score = changes.pop("score", 0.8)
        corrected = {"value": score, "low": score - 0.1, "high": score + 0.1}
        validation = {"balanced_accuracy": score + 0.02, "corrected": corrected, "scheme": "5-fold"}
        mine = {"image_size": SIDE, "run_id": run_id, "fingerprints": fingerprints, "validation": validation}
        return TrainRecord.model_validate(record_fields | mine | changes)

    return make


@pytest.fixture(scope="session")
def crown(make_network, make_record, limits: PrepareConfig):
    """`crown(stores, folder, dataset, seed)`: register a small real network, and make it champion of `dataset`."""
    from frostline.registry.models import register_challenger
    from frostline.registry.package import Candidate
    from frostline.tracking.runs import Tracker

    def make(stores: StoresConfig, folder: Path, dataset: str, seed: int = 1) -> Tracker:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            tracker = Tracker.open(stores, dataset)
            record = make_record(make_network(folder, seed), tracker.start("study", {}).id, dataset=dataset)
            found = register_challenger(tracker, Candidate(record, folder, limits))
            tracker.client.set_registered_model_alias(found.name, "champion", found.version)
        return tracker

    return make
