"""The stages scan, prepare and preprocess on a folder with twenty broken or odd files among two hundred good ones."""

import ctypes
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from frostline.data.packed import read_packed

PARAMS = Path(__file__).parents[2] / "params.yaml"
SIDE = 300  # the solar cells' own size, so that resizing changes no pixel
STAGES = """
from frostline.stages import prepare, preprocess, scan
scan.run("odd"), prepare.run("odd"), preprocess.run("odd", "vgg16")
"""
REASONS = {
    "a/bomb.png": "too_many_pixels",
    "a/conflict.png": "label_conflict",
    "a/copy.png": "duplicate",
    "a/cut.jpg": "truncated",
    "a/cut.png": "truncated",
    "a/empty.png": "empty",
    "a/forbidden.png": "no_permission",
    "a/loop.png": "link_loop",
    "a/noise.jpg": "unreadable",
    "a/nowhere.png": "missing",
    "a/text.png": "unreadable",
    "a/tiny.png": "too_small",
    "a/up": "link_loop",
    "b/conflict.png": "label_conflict",
}


def write_broken(folder: Path, spare: list[Path]) -> None:
    a, b = folder / "a", folder / "b"

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0))
    bomb = chunk(b"IDAT", zlib.compress(bytes(1_000_000), 9)) + chunk(b"IEND", b"")
    (a / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + bomb)
    shutil.copy(spare[0], a / "conflict.png")
    shutil.copy(spare[0], b / "conflict.png")
    shutil.copy(min(a.glob("cell*.png")), a / "copy.png")
    Image.open(spare[1]).save(a / "whole.jpg")
    whole = (a / "whole.jpg").read_bytes()
    (a / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (a / "whole.jpg").unlink()
    (a / "cut.png").write_bytes(spare[2].read_bytes()[:9000])
    (a / "empty.png").touch()
    shutil.copy(spare[3], a / "forbidden.png")
    (a / "forbidden.png").chmod(0)
    (a / "loop.png").symlink_to("loop.png")
    (a / "noise.jpg").write_bytes(np.random.default_rng(0).bytes(5000))
    (a / "nowhere.png").symlink_to("gone.png")
    (a / "text.png").write_text("This is not a picture.\n")
    Image.new("L", (8, 8)).save(a / "tiny.png")
    (a / "up").symlink_to("..")


def write_odd(folder: Path, spare: list[Path]) -> dict[str, tuple[np.ndarray, float]]:
    """Good pictures in odd clothes; per file the grey values it shows and by how much, on average, they may differ."""
    grey = [np.asarray(Image.open(file)) for file in spare]
    b = folder / "b"
    Image.fromarray(grey[0]).convert("CMYK").save(b / "cmyk.jpg", quality=95)
    Image.fromarray(grey[1].astype(np.uint16) * 257).save(b / "deep.png")
    Image.fromarray(grey[2]).convert("P").save(b / "palette.gif")
    Image.fromarray(grey[3]).save(b / "moving.gif", save_all=True, append_images=[Image.new("L", (SIDE, SIDE))] * 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(grey[4])).save(b / "turned.jpg", quality=95, exif=exif)
    shutil.copy(spare[5], b / "naïve cell 漢字.png")
    names = ("cmyk.jpg", "deep.png", "palette.gif", "moving.gif", "turned.jpg", "naïve cell 漢字.png")
    tolerances = (2.0, 0.0, 0.0, 0.0, 2.0, 0.0)
    return {f"b/{name}": (grey[i], tolerances[i]) for i, name in enumerate(names)}


def without_root_privilege() -> None:
    """Root reads files of any permission; without these two capabilities it may read what its own mode bits say."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if ctypes.CDLL(None, use_errno=True).prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
            raise OSError(ctypes.get_errno(), "prctl")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux to withhold permission from root")
def test_hostile_folder(tmp_path: Path, solar_cells: list[Path]) -> None:
    folder = tmp_path / "pictures"
    for number, file in enumerate(solar_cells[:200]):
        target = folder / "ab"[number % 2] / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    write_broken(folder, solar_cells[1000:1010])
    odd = write_odd(folder, solar_cells[2000:2006])
    assert sum(len(list((folder / label).iterdir())) for label in "ab") == 220
    params = yaml.safe_load(PARAMS.read_text())
    params["datasets"] = {"odd": {"source": "folder", "path": "pictures"}}
    params["backbones"] = {"vgg16": {"weights": None, "image_size": SIDE}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))

    run = subprocess.run(
        [sys.executable, "-c", STAGES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=without_root_privilege if os.geteuid() == 0 else None,
    )
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr
    assert "206 images in 2 classes" in run.stderr

    prepared = tmp_path / "data/prepared/odd"
    quarantine = pd.read_csv(prepared / "quarantine.csv")
    assert dict(zip(quarantine["image"], quarantine["reason"], strict=True)) == REASONS
    card = json.loads((prepared / "card.json").read_text())
    assert card["quarantined"] == dict(Counter(REASONS.values()))
    assert card["images"] == 206
    assert json.loads((tmp_path / "data/sources/odd.json").read_text())["source"] == "folder"

    packed = read_packed(tmp_path / "data/packed/odd-vgg16")
    assert len(packed.images) == 206
    for image, (expected, tolerance) in odd.items():
        shown = packed.images[packed.index.index[packed.index["image"] == image][0]].astype(float)
        assert np.abs(shown - expected[..., None]).mean() <= tolerance, image
