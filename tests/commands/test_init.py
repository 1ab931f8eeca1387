"""`frostline init`: real git, real DVC, real pictures, and nothing written over."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from frostline.commands.init import run
from frostline.config.load import load_config
from frostline.errors import ConfigError, DataError, WriteError

pytestmark = pytest.mark.usefixtures("away")


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def images(solar_cells: list[Path], tmp_path: Path) -> Path:
    folder = tmp_path / "Bilder für alle"
    for number, cell in enumerate(solar_cells[:24]):
        place = folder / ("odd ones" if number % 2 else "even ones")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(cell, place)
    return folder


def test_a_project_is_made_and_dvc_knows_it(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "mein Projekt"
    run(project, images, example=False, force=False)
    config = load_config(project / "params.yaml")
    assert {name: str(each.path) for name, each in config.datasets.items()} == {"Bilder_f_r_alle": str(images)}
    assert config.backbone("vgg16").image_size == 128
    text = (project / "params.yaml").read_text(encoding="utf-8")
    assert "# 24 images in 2 classes are small-" in text
    said = capsys.readouterr().err
    assert "holds now: a git repository, a DVC project, dvc.yaml, params.yaml, .gitignore, .dvcignore." in said
    assert f"cd '{project}'" in said
    assert "frostline plan" in said
    listing = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    listed = subprocess.run(listing, cwd=project, capture_output=True, text=True, check=True).stdout
    assert "train@Bilder_f_r_alle-all-vgg16" in listed.split()


def test_an_archive_is_unpacked_in_the_project(images: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "Bilder"), "zip", images)
    run(tmp_path / "project", Path(archive), example=False, force=False)
    config = load_config(tmp_path / "project/params.yaml")
    assert str(config.dataset("Bilder").path) == archive
    assert "# 24 images in 2 classes" in (tmp_path / "project/params.yaml").read_text()
    assert list((tmp_path / "project/data/raw").glob("Bilder-*"))
    assert not (tmp_path / "data").exists()


def test_a_table_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,label\n")
    run(tmp_path / "project", Path("labels.csv"), example=False, force=False)
    assert load_config(tmp_path / "project/params.yaml").dataset("labels").source == "csv"


def test_images_inside_the_project_are_named_from_there(images: Path, tmp_path: Path) -> None:
    run(tmp_path, images, example=False, force=False)
    assert yaml.safe_load((tmp_path / "params.yaml").read_text())["datasets"]["Bilder_f_r_alle"]["path"] == images.name


def test_what_is_there_stays_unless_it_is_asked_for(images: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "params.yaml").write_text("mine: 1\n")
    (project / ".gitignore").write_text("/secret\n/data/")
    with pytest.raises(ConfigError, match=r"holds params.yaml already. Name another folder, or say --force"):
        run(project, images, example=False, force=False)
    assert sorted(file.name for file in project.iterdir()) == [".gitignore", "params.yaml"]
    run(project, images, example=False, force=True)
    assert load_config(project / "params.yaml").datasets
    lines = (project / ".gitignore").read_text().splitlines()
    assert lines[:2] == ["/secret", "/data/"]
    assert len(lines) == len(set(lines))
    assert "/models/" in lines


def test_inside_another_repository_only_dvc_is_made(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    run(tmp_path / "part", None, example=True, force=False)
    assert not (tmp_path / "part" / ".git").exists()
    assert (tmp_path / "part" / ".dvc" / "config").exists()


def test_where_git_looks_away_dvc_works_without_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("/scratch/\n")
    run(tmp_path / "scratch/project", None, example=True, force=False)
    assert "no_scm" in (tmp_path / "scratch/project/.dvc/config").read_text()


def test_without_git_dvc_works_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    run(tmp_path / "alone", None, example=True, force=False)
    assert "no_scm" in (tmp_path / "alone" / ".dvc" / "config").read_text()


@pytest.mark.parametrize(
    ("make", "example", "error", "message"),
    [
        (None, False, ConfigError, r"Say what the project is for: `--images PATH` .* One of the two"),
        ("absent", False, DataError, r"absent does not exist \(seen from .*Mend the path after --images"),
        ("flat", False, DataError, r"flat holds 0 class folders. Expected a sub-folder per class, two or more"),
        ("empty", False, DataError, r"empty is empty"),
        ("flat", True, ConfigError, r"One of the two"),
    ],
)
def test_what_cannot_be_begun_with_is_one_error_and_nothing_is_written(
    solar_cells: list[Path], tmp_path: Path, make: str | None, example: bool, error: type[Exception], message: str
) -> None:
    for name in ("flat", "empty"):
        (tmp_path / name).mkdir()
    for cell in solar_cells[:3]:
        shutil.copy(cell, tmp_path / "flat")
    with pytest.raises(error, match=message):
        run(tmp_path / "project", tmp_path / make if make else None, example=example, force=False)
    assert not (tmp_path / "project").exists()


def test_other_encodings_in_ignore_files_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"/caf\xe9/\n")
    run(tmp_path, None, example=True, force=False)
    assert (tmp_path / ".gitignore").read_bytes().startswith(b"/caf\xe9/\n")


@pytest.mark.parametrize(
    ("folder", "images", "error", "message"),
    [
        ("a file", None, WriteError, r"cannot be written"),
        ("x" * 300, None, ConfigError, r"cannot be read: File name too long"),
        ("project", "x" * 300, DataError, r"cannot be read: File name too long"),
        ("project", b"caf\xe9".decode("utf-8", "surrogateescape"), DataError, r"is no text in UTF-8"),
    ],
)
def test_what_the_system_refuses_is_one_error(
    tmp_path: Path, folder: str, images: str | None, error: type[Exception], message: str
) -> None:
    (tmp_path / "a file").write_text("")
    if images and len(images) < 200:
        (tmp_path / images).mkdir()
    with pytest.raises(error, match=message):
        run(tmp_path / folder, tmp_path / images if images else None, example=images is None, force=False)


def test_what_nobody_looked_at_is_not_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.csv").write_text("image,label\n")
    run(tmp_path / "project", Path("labels.csv"), example=False, force=False)
    assert "image_size is 128: without a GPU more pixels take long; the pictures were not looked at." in (
        capsys.readouterr().err
    )
