"""JAX and torch train to the same parity; JAX on several devices to the same effect as on one, without TensorFlow."""

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def needs(backend: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(backend) is None
    return pytest.mark.skipif(missing, reason=f"{backend} is not installed: pip install {backend}")


def run(backend: str, *command: str, **environment: str) -> str:
    answer = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"KERAS_BACKEND": backend} | environment,
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.mark.parametrize("backend", [pytest.param(name, marks=needs(name)) for name in ("jax", "torch")])
def test_parity_holds(backend):
    file = str(HERE / "test_parity.py")
    chosen = "resnet50-blocks6-7 or (fold and blocks1)"
    fast = "--xla_backend_optimization_level=0"  # a network of its own is compiled for each fold, for a few steps
    assert "2 passed" in run(
        backend, "-m", "pytest", "-q", "-p", "no:cacheprovider", file, "-k", chosen, XLA_FLAGS=fast
    )


SCRIPT = textwrap.dedent(
    """
    import pickle, sys
    from pathlib import Path

    class NoTensorFlow:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "tensorflow":
                raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    sys.meta_path.insert(0, NoTensorFlow())
    import keras, numpy as np
    from frostline.config.schema import BackboneConfig
    from frostline.runtime.devices import divisible
    from frostline.cache.prefix import PrefixCache
    from frostline.training.settings import TrialSettings
    from frostline.training.setup import Setup
    from frostline.training.trial import Trainer

    folder = Path(sys.argv[1])
    cell, train = pickle.loads((folder / "cell.pickle").read_bytes())
    settings = TrialSettings(
        init="pretrained", blocks=(3, 5), freeze_depth=4, head_learning_rate=0.0003, backbone_learning_rate=0.0001,
        dropout=0.0, pooling="both", views="mirror", test_views="mirror",
    )
    devices = keras.distribution.list_devices("cpu")
    for count in (1, len(devices)):
        if count > 1:
            keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
        cache = PrefixCache(folder / f"cache{count}", 10**9)
        trainer = Trainer(Setup(cell, "vgg16", BackboneConfig(image_size=32), train, cache, seed=20))
        network = trainer.refit(settings, 2, 5)
        np.save(folder / f"{count}.npy", network.predict(np.asarray(cell.packed.images), verbose=0, batch_size=24))
        print(count, divisible(5))
    """
)


@needs("jax")
def test_several_devices_train_to_the_same_effect_as_one(packed_cells, train_config, tmp_path):
    import pickle

    import numpy as np

    from frostline.training.cell import make_cell

    (tmp_path / "cell.pickle").write_bytes(
        pickle.dumps((make_cell(packed_cells(32), 12, train_config, seed=20), train_config))
    )
    out = run("jax", "-c", SCRIPT, str(tmp_path), XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert out.split() == ["1", "5", "2", "6"]
    one, two = (np.load(tmp_path / f"{count}.npy") for count in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-3)
