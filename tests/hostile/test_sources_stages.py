"""scan, prepare and preprocess on folders and tables as NAS, archives, spreadsheets and other systems leave them."""

import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from frostline.data.manifest import other_columns
from frostline.data.packed import PackedImages, read_packed

PARAMS = Path(__file__).parents[2] / "params.yaml"
STAGES = """
import sys
from frostline.stages import prepare, preprocess, scan
for name in sys.argv[1:]:
    scan.run(name), prepare.run(name), preprocess.run(name, "vgg16")
"""
NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
LABELS = [".", "..", "a/b", "=1+1", "x\ry\nz", "$a$ \"b\", 'c'", "\u202e\x1b[31m", "NA"]


def picture(file: Path, number: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, format="PNG")


def folders(root: Path) -> None:
    """Intel's layout, as a NAS keeps it: two classes of 8 and 4, with names in both Unicode forms."""
    for number in range(12):
        split = "seg_test" if number % 3 == 0 else "seg_train"
        form = NFD if split == "seg_test" else NFC
        name = ("line\rend", "line\nend", 'quote"', " space ", "=1", "comma,")[number % 6] + f"{number}.png"
        picture(root / split / split / form / name, number)
        picture(root / split / split / "tea" / name, 100 + number)
        picture(root / split / split / "@eaDir" / name, 200 + number)
    picture(root / "seg_pred/seg_pred/1.png", 300)
    picture(root / "#recycle/tea/1.png", 301)
    picture(root / ".ipynb_checkpoints/1.png", 302)
    (root / "seg_train/seg_train/tea/Thumbs.db").write_bytes(b"no picture")
    (root / "__MACOSX/seg_train").mkdir(parents=True)


def table(root: Path) -> None:
    """A spreadsheet's: UTF-16 with semicolons, Windows' paths, empty columns and rows, columns of any name."""
    rows = ["Image;Label ;phash;width;source_group;;"]
    for number in range(4 * len(LABELS)):
        picture(root / "in" / NFD / f"{number}.png", number)
        label = LABELS[number % len(LABELS)].replace('"', '""')
        rows.append(f'in\\{NFC}\\{number}.png;"{label}";not a hash;{number % 2};all one;;')
    (root / "t.csv").write_bytes("\r\n".join([*rows, ";;;;;;", ""]).encode("utf-16"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The project after its stages, and what they said."""
    root = tmp_path_factory.mktemp("project")
    folders(root / "folders")
    table(root / "table")
    params = yaml.safe_load(PARAMS.read_text())
    params["datasets"] = {
        "folders": {"source": "folder", "path": "folders"},
        "table": {"source": "csv", "path": "table/t.csv"},
    }
    params["backbones"] = {"vgg16": {"weights": None, "image_size": 32}}
    params["prepare"]["min_images_per_class"] = 2
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    run = subprocess.run(
        [sys.executable, "-c", STAGES, "folders", "table"], cwd=root, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return root, run.stderr


def packed(project: Path, name: str) -> PackedImages:
    return read_packed(project / f"data/packed/{name}-vgg16")


def test_splits_are_no_classes_and_service_folders_nothing(project: tuple[Path, str]) -> None:
    root, said = project
    index = packed(root, "folders").index
    assert Counter(zip(index["label"], index["split"], strict=True)) == {
        (label, split): count for label in (NFC, "tea") for split, count in (("train", 8), ("test", 4))
    }
    assert all((root / "folders" / image).is_file() for image in index["image"])
    card = json.loads((root / "data/prepared/folders/card.json").read_text())
    assert card["left_out"].keys() == {"seg_pred", "@eaDir", "#recycle", ".ipynb_checkpoints", "__MACOSX"}
    assert card["quarantined"] == {}
    assert f"2 classes: {NFC} (12 files in " in said
    assert "left out: seg_pred (unlabelled, by its name); #recycle, .ipynb_checkpoints, @eaDir, __MACOSX" in said


def test_a_table_keeps_its_labels_and_columns(project: tuple[Path, str]) -> None:
    root, _ = project
    data = packed(root, "table")
    assert Counter(data.index["label"]) == dict.fromkeys(LABELS, 4)
    assert data.classes == tuple(sorted(LABELS))
    columns = other_columns(data.index)
    assert set(columns) == {"phash", "width", "source_group"}
    assert Counter(data.index[columns["width"]]) == {"0": 16, "1": 16}
    assert set(data.index["width"]) == {20}
    assert data.index["group"].nunique() == 32


def test_swapped_rows_are_noticed(project: tuple[Path, str]) -> None:
    root, _ = project
    state = root / "data/sources/table.json"
    before = json.loads(state.read_text())
    file = root / "table/t.csv"
    text = file.read_text("utf-16")
    times = file.stat()
    swapped = text.replace("\\0.png", "\\X.png").replace("\\1.png", "\\0.png").replace("\\X.png", "\\1.png")
    file.write_bytes(swapped.encode("utf-16"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    scan = "from frostline.stages import scan; scan.run('table')"
    subprocess.run([sys.executable, "-c", scan], cwd=root, check=True)
    assert json.loads(state.read_text())["state"] != before["state"]


def test_tables_are_read_by_pandas_too(project: tuple[Path, str]) -> None:
    root, _ = project
    manifest = pd.read_csv(root / "data/prepared/folders/manifest.csv", keep_default_na=False)
    assert sorted(manifest["image"]) == sorted(packed(root, "folders").index["image"])
