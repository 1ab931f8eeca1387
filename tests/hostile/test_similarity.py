"""`frostline advise` and the stage `profile` say the same of the same folder, whatever is in it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from frostline.backbones.surgery import build_backbone
from frostline.commands.advise import examine
from frostline.config.schema import BackboneConfig, FolderConfig, PrepareConfig, ProfileConfig
from frostline.data.manifest import build
from frostline.data.packed import Form, read_packed, write_packed
from frostline.data.sources import open_source
from frostline.records.profile import CellProfile
from frostline.regimes.cells import profile_cells
from frostline.regimes.comparison import prepare_comparison
from frostline.runtime.precision import resolve_precision

SEED = 20  # of params.yaml
VGG16 = BackboneConfig(image_size=32)
IMAGES = 40  # looked at, of each set


def profiled(folder: Path, work: Path, sizes: dict[str, int]) -> dict[str, CellProfile]:
    """As the stages prepare, preprocess and profile do it."""
    options, prepare = FolderConfig(source="folder", path=folder), PrepareConfig()
    prepared = build(open_source(options), options, prepare, SEED)
    write_packed(work / "packed", prepared.manifest, folder, Form(32, "stretch"), prepare)
    packed = read_packed(work / "packed")
    backbone = build_backbone("vgg16", VGG16, precision=resolve_precision("auto"), seed=SEED)
    comparison = prepare_comparison("vgg16", VGG16, backbone, packed.training_sides())
    return profile_cells(comparison, packed, sizes, ProfileConfig(images=IMAGES), SEED)


def plain(folder: Path) -> None:
    """Nothing beside the pictures."""


def rough(folder: Path) -> None:
    """A near duplicate of one picture in four, copies, and files that are no pictures."""
    for number, file in enumerate(sorted(folder.glob("*/*.png"))):
        if number % 4 == 0:
            Image.open(file).convert("L").save(file.with_suffix(".jpg"), quality=80)
        if number % 9 == 0:
            shutil.copy(file, file.with_stem(f"{file.stem}-copy"))
        if number % 7 == 0:
            file.with_suffix(".csv").write_text("no picture")


def split(folder: Path) -> None:
    """Splits of the source's own, with a picture of train in test as well."""
    for label in ("a", "b"):
        files = sorted((folder / label).glob("*.png"))
        for number, file in enumerate(files):
            place = folder / ("test", "val", "train", "train")[number % 4] / label
            place.mkdir(parents=True, exist_ok=True)
            shutil.move(file, place)
        (folder / label).rmdir()
        shutil.copy(next((folder / "train" / label).iterdir()), folder / "test" / label / "again.png")


@pytest.mark.parametrize(
    ("counts", "change"), [((15, 15), plain), ((110, 90), plain), ((70, 14), rough), ((14, 40), split)]
)
def test_advise_and_profile_measure_the_same_images(
    tmp_path: Path, solar_cells: list[Path], counts: tuple[int, int], change: Callable[[Path], None]
) -> None:
    folder = tmp_path / "set"
    for label, files in zip("ab", (solar_cells[: counts[0]], solar_cells[-counts[1] :]), strict=True):
        (folder / label).mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder / label)
    change(folder)
    profile, sample = examine(folder, "vgg16", VGG16, IMAGES, PrepareConfig())
    advised = profile.cell("all")
    cells = profiled(folder, tmp_path, {"all": max(sample.counts), "few": 5})
    assert advised == cells["all"]
    assert 10 <= advised.measured <= IMAGES
    of_set = {"shift", "layers", "similarity", "measured"}
    assert cells["few"].model_dump(include=of_set) == advised.model_dump(include=of_set)
    assert cells["few"].probed == 10
