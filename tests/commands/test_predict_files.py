"""Which files `frostline predict` takes: of a folder those that training would."""

from pathlib import Path

from frostline.commands.predict import _files
from frostline.data.sources.folder import FolderSource

IGNORED = ("@eaDir", "#recycle", "__MACOSX", ".ipynb_checkpoints", "Thumbs.db", "desktop.ini", "._1.jpg", ".DS_Store")


def test_training_and_prediction_ignore_the_same(tmp_path: Path) -> None:
    for folder in ("cat", "dog", "cat/deep", *(f"cat/{name}" for name in IGNORED)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").touch()
    for name in IGNORED:
        (tmp_path / "dog" / name).touch()
    images = {"cat/1.jpg", "cat/deep/1.jpg", "dog/1.jpg"}
    assert {record.image for record in FolderSource(tmp_path).records()} == images
    assert {file.relative_to(tmp_path).as_posix() for file in _files(tmp_path)} == images
    assert {file.relative_to(tmp_path).as_posix() for file in _files(tmp_path / "**" / "*")} == images


def test_prediction_takes_what_it_is_told(tmp_path: Path) -> None:
    hidden = tmp_path / ".cache"
    hidden.mkdir()
    (hidden / "1.jpg").touch()
    assert (
        list(_files(hidden)) == list(_files(hidden / "*.jpg")) == list(_files(hidden / "1.jpg")) == [hidden / "1.jpg"]
    )


def test_brackets_in_the_name_of_a_folder_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "cat [1]" / "deep"
    folder.mkdir(parents=True)
    (folder / "1.jpg").touch()
    for pattern in ("deep/*.jpg", "**/1.jp[g]", "*"):
        assert list(_files(tmp_path / "cat [1]" / pattern)) == [folder / "1.jpg"]
