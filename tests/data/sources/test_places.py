"""Which files a user's words name: of a folder those that training would take, of a table its rows."""

from pathlib import Path

import pytest

from frostline.data.sources.folder import FolderSource
from frostline.data.sources.places import files_at
from frostline.errors import DataError

IGNORED = ("@eaDir", "#recycle", "__MACOSX", ".ipynb_checkpoints", "Thumbs.db", "desktop.ini", "._1.jpg", ".DS_Store")


def test_training_and_prediction_ignore_the_same(tmp_path: Path) -> None:
    for folder in ("cat", "dog", "cat/deep", *(f"cat/{name}" for name in IGNORED)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").touch()
    for name in IGNORED:
        (tmp_path / "dog" / name).touch()
    images = {"cat/1.jpg", "cat/deep/1.jpg", "dog/1.jpg"}
    assert {record.image for record in FolderSource(tmp_path).records()} == images
    assert {file.relative_to(tmp_path).as_posix() for file in files_at([tmp_path])} == images
    assert {file.relative_to(tmp_path).as_posix() for file in files_at([tmp_path / "**" / "*"])} == images


def test_prediction_takes_what_it_is_told(tmp_path: Path) -> None:
    hidden = tmp_path / ".cache"
    hidden.mkdir()
    (hidden / "1.jpg").touch()
    assert files_at([hidden, hidden / "*.jpg", hidden / "1.jpg"]) == [hidden / "1.jpg"] * 3


def test_brackets_in_the_name_of_a_folder_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "cat [1]" / "deep"
    folder.mkdir(parents=True)
    (folder / "1.jpg").touch()
    for pattern in ("deep/*.jpg", "**/1.jp[g]", "*"):
        assert files_at([tmp_path / "cat [1]" / pattern]) == [folder / "1.jpg"]


def test_a_table_names_files_from_its_own_folder_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in "ab":
        (tmp_path / "photos" / f"{name}.jpg").touch()
    other = tmp_path / "other.png"
    table = tmp_path / "List.CSV"
    table.write_text(f"id;Image\n7;photos/b.jpg\n;\n8;photos\\a.jpg\n9;gone.jpg\n9;photos/b.jpg\n1;{other}\n")
    assert files_at([table]) == [
        tmp_path / "photos/b.jpg",
        tmp_path / "photos/a.jpg",
        tmp_path / "gone.jpg",
        tmp_path / "photos/b.jpg",
        other,
    ]


def test_a_table_that_lies_among_pictures_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    (tmp_path / "labels.csv").write_text("image\n1.jpg\n")
    both = [tmp_path / "1.jpg", tmp_path / "labels.csv"]
    assert files_at([tmp_path]) == files_at([tmp_path / "*"]) == both


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"has no column image\. Expected one, .*; received an empty file"),
        (
            "file,label\na.jpg,cat\n",
            r"has no column image\. Expected one, with the paths of pictures; received file, label",
        ),
        ("image, Image ,image\na,b,c\n", r"has 2 columns image\."),
        ("id,image\n1,\n", r"line 2, has an empty image\."),
        ("image\nC:\\photos\\a.jpg\n", r"line 2, has the image C:\\photos\\a.jpg, which is a path of a Windows mach"),
        ("image\n", r"holds or matches no file\. Name image files, folders, patterns or tables\."),
    ],
)
def test_a_table_that_names_no_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "list.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=message):
        files_at([table])
