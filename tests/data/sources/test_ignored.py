import pytest

from frostline.data.sources.ignored import is_ignored

IGNORED = [
    *(".DS_Store", "._1.jpg", ".AppleDouble", ".Trashes", ".Trash-1000", ".ipynb_checkpoints", ".git", ".directory"),
    *("Thumbs.db", "THUMBS.DB", "Thumbs.db:encryptable", "ehthumbs.db", "Desktop.ini", "desktop.ini", "$RECYCLE.BIN"),
    *("System Volume Information", "1.jpg:Zone.Identifier", "1.jpg\uf03aZone.Identifier"),
    *("__MACOSX", "Icon\r", "Network Trash Folder", "Temporary Items", "lost+found", "LOST.DIR", "__pycache__"),
    *("RECYCLER", "Recycled", "FOUND.000", "WPSettings.dat", "trashbox", "_gsdata_", "@appstore"),
    *("@eaDir", "#recycle", "#snapshot", "1.jpg@SynoEAStream", "@Recycle", "@Recently-Snapshot", "@__thumb"),
]


@pytest.mark.parametrize("name", IGNORED)
def test_systems_own_files_and_folders_are_ignored(name: str) -> None:
    assert is_ignored(name)


@pytest.mark.parametrize("name", ["cat", "thumbs", "recycle", "icon", "1.jpg", "@home", "#1", "_x", "trash", "desktop"])
def test_what_people_name_is_not(name: str) -> None:
    assert not is_ignored(name)
