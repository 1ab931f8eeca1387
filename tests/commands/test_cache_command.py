"""`frostline cache` through the command line, on a cache that a real network filled."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from frostline.backbones.surgery import build_backbone
from frostline.cache.prefix import PrefixCache
from frostline.config.schema import BackboneConfig


@pytest.fixture
def project(tmp_path: Path, packed_cells) -> Path:
    shutil.copy(Path(__file__).parents[2] / "params.yaml", tmp_path)
    backbone = build_backbone("vgg16", BackboneConfig(image_size=32))
    cache = PrefixCache(tmp_path / ".cache" / "frostline", 10**9)
    cache.fill(backbone, packed_cells(32), np.arange(24), ["identity", "mirror"], [2, 3])
    return tmp_path


def cache(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "frostline", "cache", *arguments]
    return subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "160"}
    )


def test_what_is_cached_is_shown_by_network_and_view(project: Path) -> None:
    shown = cache(project, "show")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("VGG16") == 2
    assert "identity" in shown.stdout
    assert "mirror" in shown.stdout
    assert shown.stdout.count("pooled 1 2 3 4 5, map 2 3") == 2
    assert "GB of 20 GB in .cache/frostline" in shown.stderr


def test_blocks_are_listed_by_number_and_trainings_are_counted(project: Path) -> None:
    identity = next(project.glob(".cache/frostline/*/identity.json"))
    for name in ("pooled-10", "map-12", "fold-4f1c", "fold-a0", "network-77"):
        (identity.parent / f"{name}.values").touch()
    shown = cache(project, "show")
    assert "pooled 1 2 3 4 5 10, map 2 3 12, 2 folds, 1 network" in " ".join(shown.stdout.split()), shown.stdout


def test_pruning_deletes_down_to_what_is_asked_for(project: Path) -> None:
    kept = cache(project, "prune")
    assert kept.returncode == 0, kept.stderr
    assert "Deleted 0 files" in kept.stderr
    left = next(project.glob(".cache/frostline/*/identity.json")).parent / ".frostline-killed" / "new"
    left.mkdir(parents=True)
    everything = cache(project, "prune", "--to", "0")
    assert "Deleted 14 files" in everything.stderr
    assert "0 (0.000 GB) are left" in everything.stderr
    assert not list(project.glob(".cache/frostline/*/*.values"))
    assert not left.parent.exists()
    assert "0.000 GB of 20 GB" in cache(project, "show").stderr


def test_an_absent_cache_is_empty_and_a_negative_size_is_refused(project: Path) -> None:
    shutil.rmtree(project / ".cache")
    assert "0.000 GB" in cache(project, "show").stderr
    refused = cache(project, "prune", "--to", "-1")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
