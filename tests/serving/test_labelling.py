"""Many files labelled by workers on a Ray cluster: the rows of this process, in their order, whoever is lost."""

import os
import signal
from pathlib import Path

import pandas as pd
import psutil
import pytest

from frostline.config.compute import ComputeConfig
from frostline.errors import ComputeError, PackageError
from frostline.registry.models import batches, load_champion
from frostline.serving.labelling import open_labelling

CLUSTER = ComputeConfig(engine="ray", address="local", workers=2, cpus=0.5, minutes=2)


@pytest.fixture(scope="module")
def champion(stores, tmp_path_factory, crown):
    return load_champion(crown(stores, tmp_path_factory.mktemp("champion"), "cells"), "cells")


@pytest.fixture(scope="module")
def files(cells, tmp_path_factory) -> list[Path]:
    """Real pictures over and over, and some that are none."""
    bad = tmp_path_factory.mktemp("pictures") / "bad.png"
    bad.write_text("no picture")
    return [*(cells * 10), bad, bad.with_name("gone.png"), *cells]


@pytest.fixture(scope="module")
def expected(champion, files) -> pd.DataFrame:
    with open_labelling(ComputeConfig(), champion) as label:
        return pd.concat(label(batches(files)), ignore_index=True)


@pytest.fixture(scope="module")
def label(champion):
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'frostline[ray]')")
    with open_labelling(CLUSTER, champion) as label:
        yield label


def check(found, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), expected, atol=1e-6)


def test_each_file_has_a_row_of_its_own(expected, files) -> None:
    assert expected["image"].tolist() == [str(file) for file in files]
    assert expected["error"].astype(bool).sum() == 2


def test_workers_read_what_they_see(label, expected, files, monkeypatch) -> None:
    from frostline.serving import labellers

    monkeypatch.setattr(labellers, "read", None)  # nothing is read here
    check(label(batches(files)), expected)


def test_what_workers_do_not_see_is_sent(label, expected, files, monkeypatch) -> None:
    from frostline.serving import labellers

    monkeypatch.setattr(labellers, "state", lambda _: (1, 1))  # as of another file of that name
    check(label(batches(files)), expected)


def test_relative_paths_start_from_the_drivers_folder(label, expected, files, monkeypatch) -> None:
    folder = files[0].parent
    monkeypatch.chdir(folder)
    found = pd.concat(label(batches([Path(file.name) for file in files[:3]])), ignore_index=True)
    assert found["image"].tolist() == [file.name for file in files[:3]]
    pd.testing.assert_frame_equal(found.drop(columns="image"), expected[:3].drop(columns="image"), atol=1e-6)


def test_a_lost_worker_costs_no_row(label, expected, files, capsys) -> None:
    found = []
    for part in label(batches(files)):
        found.append(part)
        if len(found) == 2:
            workers = [each for each in psutil.process_iter(["cmdline"]) if _labels(each)]
            assert workers
            for worker in workers:
                worker.kill()
    check(found, expected)
    assert "A worker was lost with the files from" in capsys.readouterr().err


def _labels(process: psutil.Process) -> bool:
    return (process.info["cmdline"] or [""])[0].startswith("ray::Labeller")


@pytest.mark.usefixtures("label")  # whose cluster has room for one more
def test_files_that_end_every_worker_are_named() -> None:
    from frostline.compute.actors import open_pool
    from frostline.serving.labellers import Labellers

    class Deadly:  # it is sent as it is: workers cannot import this module
        def __init__(self, _: None) -> None: ...

        def machine(self):
            from frostline.provenance import Machine

            return "here", Machine(precision="").facts

        def label_here(self, *_) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    with (
        open_pool(CLUSTER.model_copy(update={"workers": 1}), Deadly, None, "") as pool,
        pytest.raises(ComputeError, match=r"3 workers were lost with the files from a.png to b.png, the last because "),
    ):
        list(Labellers(pool).label([[Path("a.png"), Path("b.png")]]))


def test_without_ray_it_says_what_to_install(champion, monkeypatch) -> None:
    monkeypatch.setattr("frostline.compute.where.find_spec", lambda _: None)
    with (
        pytest.raises(PackageError, match=r"Ray is not installed: pip install 'frostline\[ray\]'"),
        open_labelling(CLUSTER, champion),
    ):
        pass
