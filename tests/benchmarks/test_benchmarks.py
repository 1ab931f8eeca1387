"""Every benchmark runs on its smallest input, so that none rots. What it measures there means nothing."""

import contextlib
import io
import os
import pkgutil
import runpy
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
SHARED = {"measuring", "project", "sets", "study", "training"}
WRITES = {
    "choices": ["choices.csv", "strategies.csv"],
    "cluster": [
        "cluster-overhead.csv",
        "cluster-threads.csv",
        "cluster-durations.csv",
        "cluster-simulation.csv",
        "cluster-tpe.csv",
        "cluster.png",
    ],
    "curves": ["curves/digits-8-20.zip"],
    "drift": ["drift.csv", "drift-intervals.csv"],
    "exports": ["exports.csv"],
    "faults": ["faults.csv"],
    "gate": ["gate.csv"],
    "label_errors": ["label_errors.csv"],
    "larger_than_memory": [],
    "memory": ["memory.csv", "memory.png"],
    "outliers": ["outliers.csv", "outliers-cost.csv"],
    "panel": ["panel.csv", "panel.png"],
    "plan": ["plan.csv", "plan-training.csv"],
    "regimes": ["regimes-32px.csv", "regimes-32px-measured.csv", "regimes-32px.png"],
    "replay": ["replay.csv", "replay.png"],
    "scaling": ["scaling.csv", "scaling.png"],
    "search_cost": ["search_cost-quick.csv", "search_cost-quick-epochs.csv"],
    "serving": ["serving.csv"],
    "serving_joined": ["serving_joined.csv"],
    "serving_load": ["serving_load.csv", "serving_load-memory.csv"],
    "shift": ["shift.csv", "shift.png"],
    "similarity": ["similarity.csv", "similarity.png"],
    "sizes": ["sizes.csv", "sizes.png"],
    "solar_cells": ["solar_cells.csv"],
    "studies": ["studies.csv", "studies.png"],
    "throughput": ["throughput*.csv", "throughput*-trials.csv"],
}
"""What each writes into its output folder, where a star stands for the backend; a new one has its line here."""
LINUX = {"larger_than_memory", "memory", "scaling"}  # which read /proc
RAY = {"cluster", "faults"}  # which need it
EXPORTS = ("tensorflow", "onnx", "onnxruntime", "tf2onnx", "ai_edge_litert")  # what that one needs


def _documented() -> list[Path]:
    return [file for file in (ROOT / "docs/results").rglob("*") if file.is_file()]


def _run(name: str, output: Path) -> tuple[int | str | None, str]:
    """The exit status of `python -m benchmarks.<name> --smallest --output <output>`, and what it printed."""
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    sys.argv = [name, "--smallest", "--output", str(output)]
    printed = io.StringIO()
    status: int | str | None = 0
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        try:
            runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            status = end.code
    return status, printed.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of them write: those that need a finished project share one."""
    return tmp_path_factory.mktemp("benchmarks")


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    """One process for all of them: importing Keras takes longer than most."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def test_the_table_names_every_benchmark() -> None:
    found = {module.name for module in pkgutil.iter_modules([str(BENCHMARKS)])}
    assert found - SHARED == set(WRITES)


@pytest.mark.parametrize("name", WRITES)
def test_a_benchmark_runs_on_its_smallest_input(name: str, process: ProcessPoolExecutor, folder: Path) -> None:
    if name in LINUX and not Path("/proc/self/status").exists():
        pytest.skip(f"{name} reads /proc, which this system has not")
    if name in RAY and find_spec("ray") is None:
        pytest.skip("Ray is not installed (pip install 'frostline[ray]')")
    if name == "exports" and any(find_spec(package) is None for package in EXPORTS):
        pytest.skip(f"one of {', '.join(EXPORTS)} is not installed")
    if find_spec("elpv_dataset") is None:
        pytest.skip("the package elpv-dataset is not installed: the smallest input is a few of its solar cells")
    documented = {file: file.read_bytes() for file in _documented()}
    status, printed = process.submit(_run, name, folder).result()
    assert status == 0, printed
    assert "| --- |" in printed  # a table, with its hardware below it or in the CSV file
    for pattern in WRITES[name]:
        file = min(folder.glob(pattern))
        if file.suffix == ".csv":
            assert len(pd.read_csv(file)) > 0
        else:
            assert file.read_bytes().startswith({".png": b"\x89PNG", ".zip": b"PK"}[file.suffix])
    assert documented == {file: file.read_bytes() for file in _documented()}
