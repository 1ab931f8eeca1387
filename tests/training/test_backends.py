"""JAX trains to the same parity, on several devices to the same effect as on one, and without TensorFlow."""

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed: pip install -r requirements-jax.txt"
)


def run(*command: str, **environment: str) -> str:
    answer = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"KERAS_BACKEND": "jax"} | environment,
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_parity_holds_on_jax():
    file = str(HERE / "test_parity.py")
    chosen = "vgg16-5-0 or vgg16-4-2 or resnet50-17-2 or (fold and 1)"
    assert "4 passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider", file, "-k", chosen)


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
    from frostline.config import BackboneConfig
    from frostline.training.devices import divisible
    from frostline.training.prefix import PrefixCache
    from frostline.training.settings import TrialSettings
    from frostline.training.setup import Setup
    from frostline.training.trial import Trainer

    devices = keras.distribution.list_devices("cpu")
    if len(devices) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    cell, train = pickle.loads(Path(sys.argv[1]).read_bytes())
    cache = PrefixCache(Path(sys.argv[2]), 10**9)
    trainer = Trainer(Setup(cell, "vgg16", BackboneConfig(image_size=32), train, cache, seed=20))
    settings = TrialSettings("pretrained", 5, 1, 0.003, 0.0001, 1.0, 0.0, "both", "mirror")
    network = trainer.refit(settings, 2, 5)
    np.save(sys.argv[3], network.predict(np.asarray(cell.packed.images), verbose=0, batch_size=24))
    print(len(devices), divisible(5))
    """
)


def test_several_devices_train_to_the_same_effect_as_one(packed_cells, train_config, tmp_path):
    import pickle

    import numpy as np

    from frostline.training.cell import make_cell

    (tmp_path / "cell.pickle").write_bytes(
        pickle.dumps((make_cell(packed_cells(32), 12, train_config, seed=20), train_config))
    )
    results = {}
    for count, printed in ((1, "1 5"), (2, "2 6")):
        arguments = [str(tmp_path / name) for name in ("cell.pickle", f"cache{count}", f"{count}.npy")]
        out = run("-c", SCRIPT, *arguments, XLA_FLAGS=f"--xla_force_host_platform_device_count={count}")
        assert out.strip() == printed
        results[count] = np.load(tmp_path / f"{count}.npy")
    np.testing.assert_allclose(results[1], results[2], atol=1e-3)
