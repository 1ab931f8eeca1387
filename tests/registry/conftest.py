from importlib import util
from pathlib import Path
from typing import Any

import pytest

from frostline.backbones.surgery import add_head
from frostline.backbones.weights import digest
from frostline.config.schema import PrepareConfig, StoresConfig
from frostline.records.train_record import TrainRecord, write_training_images
from frostline.tracking.runs import Tracker

SIDE = 32


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


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> StoresConfig:
    folder = tmp_path_factory.mktemp("stores")
    return StoresConfig(tracking=f"sqlite:///{folder}/mlflow.db", studies="unused", cache=folder, cache_gigabytes=1)


@pytest.fixture
def tracker(stores: StoresConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Tracker.open(stores, "solar_cells")


@pytest.fixture(scope="session")
def make_network():
    """Save a small real network with weights of the given seed, and give its fingerprint."""
    import keras

    def make(folder: Path, seed: int) -> str:
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((SIDE, SIDE, 3))
        maps = keras.layers.AveragePooling2D(4)(keras.layers.Rescaling(1 / 255)(inputs))
        outputs, _ = add_head(maps, 2, pooling="both", dropout=0.3, seed=seed)
        folder.mkdir(parents=True, exist_ok=True)
        network = keras.Model(inputs, outputs)
        network.save(folder / "model.keras")
        write_training_images(folder, [])
        return digest(network)

    return make


@pytest.fixture(scope="session")
def make_record(record_fields: dict[str, Any]):
    """A record of a model of solar_cells, with some of its fields replaced."""

    def make(model: str, run_id: str, **changes: object) -> TrainRecord:
        fingerprints = {"data": changes.pop("data", "d" * 64), "weights": "w", "study": "s", "model": model}
        validation = {"balanced_accuracy": changes.pop("score", 0.8), "scheme": "5-fold"}
        mine = {"image_size": SIDE, "run_id": run_id, "fingerprints": fingerprints, "validation": validation}
        return TrainRecord.model_validate(record_fields | mine | changes)

    return make
