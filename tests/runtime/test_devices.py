"""What networks run on, by each backend that is installed."""

import importlib.util
import os
import subprocess
import sys

import pytest

SCRIPT = (
    "from frostline.runtime.devices import *; print(devices()[0], accelerators(), compute_capability(), distribute())"
)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_cpu_alone_is_told_by_every_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install {backend}")
    hidden = {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu"}
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | hidden, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == ["cpu:0", "()", "None", "1"]
