"""`frostline advise` on folders as users have them: whole, too small, unlabelled, empty."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from frostline.config.load import load_config
from frostline.config.schema import Config

PARAMS = Path(__file__).parents[2] / "params.yaml"


def advise(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "frostline", "advise", str(folder), "--image-size", "64", *options]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path, solar_cells: list[Path]) -> Path:
    """80 solar cells under two labels."""
    for number, cell in enumerate(solar_cells[:80]):
        place = tmp_path / "my cells" / ("odd" if number % 2 else "even")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(cell, place)
    return tmp_path / "my cells"


def test_regime_evidence_and_lines_that_can_be_pasted(folder: Path) -> None:
    answer = advise(folder)
    assert answer.returncode == 0, answer.stderr
    words = " ".join(answer.stdout.split())
    assert "80 in 2 classes (even 40, odd 40)" in words
    assert "small: 30 in the median class (large from 200), 60 in all (large from 2000), beside a test split" in words
    assert "Regime small-different" in words
    assert "Try first start_of_convnet" in words
    assert "against 1000 images of ImageNet" in words
    assert (folder.parent / "advice.png").read_bytes().startswith(b"\x89PNG")
    lines = answer.stdout[answer.stdout.index("datasets:") : answer.stdout.index("The picture is")]
    pasted = yaml.safe_load(lines)
    document = yaml.safe_load(PARAMS.read_text())
    document["search"] |= pasted.pop("search")
    config = Config.model_validate(document | pasted)
    assert config.dataset("my_cells").path == folder.resolve()  # type: ignore[union-attr]
    assert config.size("all") == "all"
    assert config.search.strategies[0] == "start_of_convnet"
    assert load_config(PARAMS).search.strategies == "auto"


def test_an_archive_is_advised_on_as_its_folder(folder: Path) -> None:
    shutil.make_archive(str(folder.parent / "cells"), "zip", folder.parent, folder.name)
    answer = advise(folder.parent / "cells.zip")
    assert answer.returncode == 0, answer.stderr
    assert "80 in 2 classes (even 40, odd 40)" in " ".join(answer.stdout.split())
    lines = answer.stdout[answer.stdout.index("datasets:") : answer.stdout.index("The picture is")]
    assert yaml.safe_load(lines)["datasets"] == {
        "cells": {"source": "folder", "path": str((folder.parent / "cells.zip").resolve())}
    }
    assert "80 files unpacked into data/raw/cells-" in answer.stderr


def test_a_class_of_three_pictures_is_named_as_too_small(folder: Path) -> None:
    for picture in sorted((folder / "odd").iterdir())[3:]:
        picture.unlink()
    answer = advise(folder)
    assert answer.returncode == 0, answer.stderr
    words = " ".join(answer.stdout.split())
    assert "Too few images to train and test on: odd (3)" in words
    assert "Similarity different" in words


def test_one_class_gives_similarity_alone(folder: Path) -> None:
    shutil.rmtree(folder / "odd")
    words = " ".join(advise(folder).stdout.split())
    assert "'even' is the only class" in words
    assert "Similarity different" in words
    assert "Size unknown" in words
    assert "datasets:" not in words


def test_unlabelled_pictures_give_similarity_alone(folder: Path) -> None:
    words = " ".join(advise(folder / "odd").stdout.split())
    assert "There are no class folders, so only similarity can be told" in words
    assert "With few images start_of_convnet" in words
    assert "datasets:" not in words


def test_more_classes_than_images_to_look_at(tmp_path: Path, solar_cells: list[Path]) -> None:
    for number, cell in enumerate(solar_cells[:25]):
        (tmp_path / "all" / f"{number:02d}").mkdir(parents=True)
        shutil.copy(cell, tmp_path / "all" / f"{number:02d}")
    answer = advise(tmp_path / "all", "--images", "20")
    assert answer.returncode == 0, answer.stderr
    words = " ".join(answer.stdout.split())
    assert "25 in 25 classes" in words
    assert "25 of 25 files opened" in words
    assert "10 (1), 11 (1), and 13 more" in words


def test_too_few_pictures_leave_similarity_unclear(folder: Path) -> None:
    for label in ("odd", "even"):
        for picture in sorted((folder / label).iterdir())[5:]:
            picture.unlink()
    words = " ".join(advise(folder).stdout.split())
    assert "8 images beside a test split cannot show whether they are similar: it takes at least 20" in words
    assert "Regime small-unclear" in words
    assert sorted(words.split("Try first ")[1].split()[:3]) == ["end_of_convnet", "or", "start_of_convnet"]


def test_small_originals_are_said_to_be_enlarged(folder: Path) -> None:
    from PIL import Image

    for picture in folder.glob("*/*.png"):
        Image.open(picture).resize((24, 24)).save(picture)
    assert "the network sees them enlarged to 64" in " ".join(advise(folder).stdout.split())


@pytest.mark.parametrize("options", [(), ("--backbone", "vgg61"), ("--weights", "absent.h5"), ("--image-size", "8")])
def test_what_cannot_be_advised_on_is_one_clear_error(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    answer = advise(tmp_path / "empty", *options)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "advice.png").exists()


def test_a_picture_that_cannot_be_written_costs_none_of_the_words(folder: Path) -> None:
    shutil.copy(next((folder / "odd").iterdir()), folder)
    answer = advise(folder, "--picture", str(folder.parent))
    assert answer.returncode == 1
    assert "Regime small-different" in " ".join(answer.stdout.split())
    assert "Beside the class folders 1 file without a label is left out." in " ".join(answer.stdout.split())
    assert answer.stderr.splitlines()[-1].startswith(f"Error: {folder.parent} cannot be written: ")
    assert "Traceback" not in answer.stderr


def test_an_image_size_that_is_none_is_a_fault_of_the_command_line(folder: Path) -> None:
    answer = advise(folder, "--image-size", "0")
    assert answer.returncode == 2
    assert "Invalid value for '--image-size'" in " ".join(answer.stderr.split())


def test_weights_without_a_reference_leave_similarity_unknown(folder: Path) -> None:
    from frostline.backbones.surgery import build_backbone
    from frostline.config.schema import BackboneConfig

    file = folder.parent / "mine.weights.h5"
    build_backbone("vgg16", BackboneConfig(weights=None, image_size=64), seed=1).network.save_weights(file)
    words = " ".join(advise(folder, "--weights", str(file)).stdout.split())
    assert "Similarity unknown: there is no reference for these weights" in words
    assert "Regime small-unclear" in words
    assert "Depth a linear probe reads the classes best after block" in words
