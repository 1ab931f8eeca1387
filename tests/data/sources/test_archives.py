"""Archives as people and programs make them: read as the folder that they hold, or one clear error."""

import contextlib
import io
import os
import shutil
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frostline.config.schema import CsvConfig, FolderConfig
from frostline.data.sources import open_source, unpacking
from frostline.data.sources.digests import Digests
from frostline.data.sources.folder import FolderSource
from frostline.data.sources.places import files_at
from frostline.errors import DataError

FILES = {
    f"{folder}/{label}/{n}.jpg": f"{folder}{label}{n}".encode()
    for folder in ("train", "test")
    for label in "ab"
    for n in (1, 2)
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_zip(path: Path, files: dict[str, bytes] = FILES, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes] = FILES, *more: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in more:
            archive.addfile(info)
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def read(path: Path) -> dict[str, bytes]:
    """What the archive's pictures hold."""
    source = open_source(FolderConfig(source="folder", path=path))
    return {record.image: (source.root / record.image).read_bytes() for record in source.records()}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("photos.zip", make_zip),
        ("stored.ZIP", lambda path: make_zip(path, method=zipfile.ZIP_STORED)),
        ("lzma.zip", lambda path: make_zip(path, method=zipfile.ZIP_LZMA)),
        ("photos.tar", make_tar),
        ("photos.tar.gz", lambda path: make_tar(path, mode="w:gz")),
        ("photos.tgz", lambda path: make_tar(path, mode="w:gz")),
        ("photos.tar.bz2", lambda path: make_tar(path, mode="w:bz2")),
        ("photos.tar.xz", lambda path: make_tar(path, mode="w:xz")),
        ("named otherwise.zip", lambda path: make_tar(path, mode="w:gz")),
        ("without an end", make_zip),
        ("fotos é.tar", make_tar),
    ],
)
def test_an_archive_is_read_as_its_folder(tmp_path: Path, name: str, make: Callable[[Path], Path]) -> None:
    assert read(make(tmp_path / name)) == FILES
    assert [place.name for place in (tmp_path / "data/raw").iterdir() if place.name != "archives"]


@pytest.mark.parametrize(
    "names",
    [
        ["photos/a/1.jpg", "photos/b/1.jpg", "__MACOSX/photos/a/._1.jpg", "photos/.DS_Store"],
        ["./a/1.jpg", "./b/1.jpg"],
        ["one/two/a/1.jpg", "one/two/b/1.jpg", "one/LICENSE"],
    ],
)
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_folders_that_only_wrap_and_systems_own_files(
    tmp_path: Path, names: list[str], make: Callable[..., Path]
) -> None:
    source = open_source(FolderConfig(source="folder", path=make(tmp_path / "x.zip", dict.fromkeys(names, b"x"))))
    assert source.read().counts() == {"a": 1, "b": 1}


def test_the_state_is_that_of_the_folder_however_it_was_packed(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    paths = [tmp_path / "folder", make_zip(tmp_path / "a.zip"), make_tar(tmp_path / "b.tgz", mode="w:gz")]
    paths.append(make_zip(tmp_path / "c.zip", dict(reversed(FILES.items())), zipfile.ZIP_STORED))
    states = {
        open_source(FolderConfig(source="folder", path=path)).state(Digests(tmp_path / f"memory{number}"))
        for number, path in enumerate(paths)
    }
    assert len(states) == 1


def test_an_archive_that_changed_is_unpacked_again_and_one_that_did_not_is_not(tmp_path: Path) -> None:
    source = open_source(FolderConfig(source="folder", path=make_zip(tmp_path / "x.zip")))
    memory = Digests(tmp_path / "memory")
    assert "will be unpacked" in source.to_fetch()
    first = source.state(memory)
    assert source.to_fetch() == ""
    picture = source.root / "train/a/1.jpg"
    before = picture.stat().st_mtime_ns
    os.utime(tmp_path / "x.zip")
    assert (source.state(memory), picture.stat().st_mtime_ns) == (first, before)
    make_zip(tmp_path / "x.zip", FILES | {"train/a/1.jpg": b"other"})
    assert source.state(memory) != first
    assert (source.root / "train/a/1.jpg").read_bytes() == b"other"
    assert picture.read_bytes() != b"other"


def test_a_lost_folder_is_unpacked_again(tmp_path: Path) -> None:
    source = open_source(FolderConfig(source="folder", path=make_zip(tmp_path / "x.zip")))
    shutil.rmtree(source.root)
    assert (source.root / "train/a/1.jpg").is_file()


def test_prediction_takes_an_archive_too(tmp_path: Path) -> None:
    found = files_at([make_zip(tmp_path / "x.zip")])
    assert sorted(file.read_bytes() for file in found) == sorted(FILES.values())


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def overwritten(path: Path, place: int) -> Path:
    data = bytearray(path.read_bytes())
    data[place : place + 8] = bytes(byte ^ 0xFF for byte in data[place : place + 8])
    path.write_bytes(data)
    return path


def encrypted(path: Path) -> Path:
    data = bytearray(make_zip(path).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # bit 0 of the flags
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    return path


def with_mode(path: Path, mode: int, content: bytes) -> Path:
    """A ZIP with an entry of this mode besides pictures."""
    make_zip(path)
    info = zipfile.ZipInfo("train/a/odd.jpg")
    info.create_system, info.external_attr = 3, mode << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, content)
    return path


BIG = {f"{label}/{n}.jpg": os.urandom(3000) for label in "ab" for n in range(20)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: make_zip(path, FILES | {"../../out.jpg": b""}), r"holds '../../out.jpg': a name that leads out"),
        (
            lambda path: make_zip(path, FILES | {"a/../../out.jpg": b""}),
            r"a name that leads out of it\. If you trust it",
        ),
        (lambda path: make_zip(path, FILES | {"/srv/out.jpg": b""}), r"holds '/srv/out.jpg': a name that leads out"),
        (lambda path: make_zip(path, FILES | {"C:/out.jpg": b""}), r"holds 'C:/out.jpg': a name that leads out"),
        (lambda path: make_tar(path, FILES | {"../out.jpg": b""}), r"holds '../out.jpg': a name that leads out"),
        (lambda path: make_tar(path, FILES | {"/srv/out.jpg": b""}), r"holds '/srv/out.jpg': a name that leads out"),
        (
            lambda path: make_tar(path, FILES, special("a/x", tarfile.SYMTYPE, "/etc/passwd")),
            r"'a/x': a link out of it",
        ),
        (
            lambda path: make_tar(path, FILES, special("a/x", tarfile.SYMTYPE, "../../x")),
            r"a link out of it, to ../../x",
        ),
        (lambda path: make_tar(path, FILES, special("a/x", tarfile.LNKTYPE, "../x")), r"a link out of it, to ../x"),
        (
            lambda path: make_tar(path, FILES, special("a/x", tarfile.SYMTYPE, "gone")),
            r"link to a/gone, which is no file",
        ),
        (lambda path: make_tar(path, FILES, special("a/x", tarfile.SYMTYPE, "x")), r"link to a/x, which is no file"),
        (lambda path: make_tar(path, FILES, special("top", tarfile.SYMTYPE, ".")), r"link to \., which is no file"),
        (lambda path: make_tar(path, FILES, special("a/x", tarfile.CHRTYPE)), r"holds 'a/x': a device or pipe"),
        (lambda path: make_tar(path, FILES, special("a/x", tarfile.FIFOTYPE)), r"holds 'a/x': a device or pipe"),
        (
            lambda path: with_mode(path, stat.S_IFLNK | 0o777, b"../../../x"),
            r"odd.jpg': a link out of it, to ../../../x",
        ),
        (lambda path: with_mode(path, stat.S_IFIFO | 0o777, b""), r"odd.jpg': a device or pipe"),
        (lambda path: make_zip(path, FILES | {f"a/{'x' * 300}.jpg": b""}), r"cannot write \(File name too long\)"),
        (lambda path: make_zip(path, FILES | {"train/a": b"file"}), r"cannot write \(Is a directory\)"),
        (
            lambda path: cut(make_zip(path, BIG), 0.5),
            r"is damaged, or its copy is incomplete: .*\. Copy or download it ag",
        ),
        (lambda path: cut(make_tar(path, BIG), 0.5), r"is damaged, or its copy is incomplete: unexpected end of data"),
        (lambda path: cut(make_tar(path, BIG, mode="w:gz"), 0.5), r"is damaged, or its copy is incomplete"),
        (lambda path: cut(make_tar(path, BIG, mode="w:bz2"), 0.5), r"is damaged, or its copy is incomplete"),
        (lambda path: cut(make_tar(path, BIG, mode="w:xz"), 0.5), r"is damaged, or its copy is incomplete"),
        (lambda path: cut(make_tar(path, BIG, mode="w:gz"), 0.9999), r"is damaged, or its copy is incomplete"),
        (
            lambda path: overwritten(make_zip(path, BIG, zipfile.ZIP_STORED), 2000),
            r"is damaged.*Bad CRC-32 for file 'a/0",
        ),
        (lambda path: overwritten(make_tar(path, BIG), 3584 + 10), r"is damaged.* a damaged header at byte 3584"),
        (lambda path: overwritten(make_tar(path, BIG, mode="w:gz"), 9000), r"is damaged"),
        (encrypted, r"x.zip is encrypted. Unpack it yourself, and let `path` .* name the folder"),
        (lambda path: path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(30)), r"is a 7-Zip archive, which is not read"),
        (lambda path: path.write_bytes(b"Rar!\x1a\x07\x01" + bytes(30)), r"is a RAR archive, which is not read"),
        (lambda path: path.write_bytes(b"image,label\na,b\n"), r"neither a folder nor a ZIP or TAR.*say source: csv"),
        (lambda path: path.touch(), r"neither a folder nor a ZIP or TAR archive"),
        (lambda path: make_zip(path, {}), r"holds no files in its class folders"),
        (
            lambda path: make_zip(path, {"train.zip": b"", "test.zip": b""}),
            r"x.zip, unpacked: data/raw/x-.* It holds archives: unpack test.zip, train.zip",
        ),
        (str, r"The archive .*x.zip does not exist \(seen from .*Mend `path`"),
    ],
)
def test_what_cannot_be_unpacked_is_one_clear_error_and_leaves_nothing(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "x.zip")
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.zip")
    assert not (tmp_path.parent / "out.jpg").exists()
    left = [place.name for place in (tmp_path / "data/raw").glob("*") if place.name != "archives"]
    assert not [name for name in left if name.startswith(".")]
    assert not left or "holds" in message


def test_links_to_files_in_the_archive_become_copies(tmp_path: Path) -> None:
    more = [
        special("train/a/3.jpg", tarfile.SYMTYPE, "../../test/a/1.jpg"),
        special("train/a/4.jpg", tarfile.SYMTYPE, "3.jpg"),
        special("train/a/5.jpg", tarfile.LNKTYPE, "train/b/1.jpg"),
    ]
    found = read(make_tar(tmp_path / "x.tar", FILES, *more))
    expected = {"3": FILES["test/a/1.jpg"], "4": FILES["test/a/1.jpg"], "5": FILES["train/b/1.jpg"]}
    assert found == FILES | {f"train/a/{name}.jpg": content for name, content in expected.items()}
    found = read(with_mode(tmp_path / "y.zip", stat.S_IFLNK | 0o777, b"1.jpg"))
    assert found["train/a/odd.jpg"] == FILES["train/a/1.jpg"]


def test_bombs_are_refused_before_they_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_FREE", 1_000_000)
    bomb = {"a/1.jpg": bytes(2_000_000), "b/1.jpg": b""}
    for path in (make_zip(tmp_path / "x.zip", bomb), make_tar(tmp_path / "y.tgz", bomb, mode="w:gz")):
        with pytest.raises(DataError, match=r"unpacks to more than 0\.0 GB, over 100 times its size, after 0 files"):
            read(path)
    assert read(make_zip(tmp_path / "z.zip", bomb, zipfile.ZIP_STORED)) == bomb


def test_names_in_other_encodings(tmp_path: Path) -> None:
    """Marked as UTF-8; UTF-8 without a mark, as macOS and Linux write; and CP437, with Windows' separators."""
    marked = make_zip(tmp_path / "a.zip", {"café/1.jpg": b"1", "日本/1.jpg": b"2"})
    assert set(read(marked)) == {"café/1.jpg", "日本/1.jpg"}
    unmarked = make_zip(tmp_path / "b.zip", {"cafXX/1.jpg": b"1", "tea/1.jpg": b"2"})
    unmarked.write_bytes(unmarked.read_bytes().replace(b"cafXX", "café".encode()))
    assert set(read(unmarked)) == {"café/1.jpg", "tea/1.jpg"}
    old = make_zip(tmp_path / "c.zip", {"cafX+1.jpg": b"1", "tea+1.jpg": b"2"})
    data = old.read_bytes().replace(b"cafX+", b"caf\x82\\").replace(b"tea+", b"tea\\")
    old.write_bytes(data.replace(b"PK\x01\x02\x14\x03", b"PK\x01\x02\x14\x00"))  # made by MS-DOS
    assert set(read(old)) == {"café/1.jpg", "tea/1.jpg"}


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=80, deadline=None)
@given(names=st.lists(NAMES | st.sampled_from(["..", ".", "/", "a/b", "a/../b", "//x", "a/", "C:\\x"]), max_size=4))
def test_nothing_is_written_outside(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    place = tmp_path_factory.mktemp("hostile")
    (place / "deep/er").mkdir(parents=True)
    make_zip(place / "x.zip", {"/".join(names[: n + 1]): b"x" for n in range(len(names))})
    before = set(place.rglob("*"))
    try:
        count = unpacking.unpack(place / "x.zip", place / "deep/er")
    except DataError:
        count = None
    outside = {path for path in set(place.rglob("*")) - before if not path.is_relative_to(place / "deep/er")}
    assert not outside
    assert count is None or count >= len([path for path in (place / "deep/er").rglob("*") if path.is_file()])


@settings(max_examples=100, deadline=None)
@given(data=st.data(), mode=st.sampled_from(["zip", "w", "w:gz", "w:bz2", "w:xz"]))
def test_whatever_bytes_change_it_is_read_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, mode: str
) -> None:
    place = tmp_path_factory.mktemp("changed")
    path = place / "x"
    content = bytearray((make_zip(path) if mode == "zip" else make_tar(path, mode=mode)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    (place / "out").mkdir()
    with contextlib.suppress(DataError):
        unpacking.unpack(path, place / "out")
    assert {entry.name for entry in place.iterdir()} == {"x", "out"}


def test_an_archive_in_params_is_what_its_folder_would_be(tmp_path: Path) -> None:
    make_zip(tmp_path / "x.zip")
    source = open_source(FolderConfig(source="folder", path=Path("x.zip")))
    assert source.read() == FolderSource(source.root).read()


@pytest.mark.parametrize("path", [f"{'x' * 300}.zip", "file/x.zip", "folder.zip"])
def test_paths_that_cannot_be_looked_at_and_folders_called_like_archives(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.zip/a").mkdir(parents=True)
    (tmp_path / "folder.zip/a/1.jpg").touch()
    source = open_source(FolderConfig(source="folder", path=Path(path)))
    table = open_source(CsvConfig(source="csv", path=Path("t.csv"), folder=Path(path)))
    assert source.root == table.root == Path(path)
    if path == "folder.zip":
        assert source.read().counts() == {"a": 1}
