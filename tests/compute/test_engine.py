"""The engine of params.yaml: this process imports no Ray, and a cluster that is not there is one clear error."""

import importlib.util
import subprocess
import sys

import pytest

from frostline.compute import where
from frostline.compute.engine import open_workers
from frostline.compute.local import InProcess
from frostline.config.compute import ComputeConfig
from frostline.errors import ComputeError, PackageError


def test_the_local_engine_is_this_process_and_imports_no_ray() -> None:
    with open_workers(ComputeConfig(), None) as workers:
        assert isinstance(workers, InProcess)
    script = "import sys, frostline.search.driver; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_without_ray_it_is_said_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setattr(where, "find_spec", lambda _: None)
    with (
        pytest.raises(PackageError, match=r"Ray is not installed: pip install 'frostline\[ray\]'"),
        open_workers(ComputeConfig(engine="ray"), None),
    ):
        pass


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "here"])
def test_a_cluster_that_is_not_there_is_one_clear_error(address) -> None:
    from frostline.compute.connection import connected

    with (
        pytest.raises(ComputeError, match=rf"The Ray cluster at {address} \(compute.address .*Start one with"),
        connected(ComputeConfig(engine="ray", address=address)),
    ):
        pass
