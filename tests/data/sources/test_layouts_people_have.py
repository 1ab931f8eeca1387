"""Data as people have it: each of these odd but legal layouts is prepared by the real stages, or is one clear error.

One project holds them all, a data set each. Six pictures a class, which differ.
"""

import contextlib
import io
import json
import os
import shutil
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from frostline.data.manifest import read_manifest
from frostline.data.packed import read_packed
from frostline.errors import DataError
from frostline.stages import prepare, preprocess, scan

PARAMS = Path(__file__).parents[3] / "params.yaml"
PER_CLASS = 6
NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
ODD_FOLDERS = (
    "two words",
    "größe",
    "猫",
    "🐱",
    NFD,
    "x" * 200,
    "it's (1)",
    "a,b;c",
    "-1",
    "50%",
    "#1",
    "$x$",
    "train 2",
)
ODD_LABELS = (
    *ODD_FOLDERS,
    "a/b",
    "../up",
    ".hidden",
    "..",
    "/",
    "C:\\x",
    "=1+1",
    "null",
    "NA",
    "1.0",
    "y" * 1000,
    "a\nb",
)


class Pictures:
    """Makes files of different pictures."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = self.random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)

    def classes(self, folder: Path, *labels: str, count: int = PER_CLASS) -> Path:
        for label in labels:
            for number in range(count):
                self.save(folder / label / f"{number}.png")
        return folder

    def flat(self, folder: Path, names: list[str]) -> None:
        for name in names:
            self.save(folder / name)


def zipped(folder: Path, archive: Path, top: str = "", *more: str) -> dict[str, Any]:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, top + path.relative_to(folder).as_posix())
        for name in more:
            file.writestr(name, "not a picture")
    return {"source": "folder", "path": archive.name}


def zip_of_a_wrapped_folder(make: Pictures) -> dict[str, Any]:
    folder = make.classes(Path("wrapped"), "cat", "dog")
    return zipped(folder, Path("wrapped.zip"), "photos of mine/", "__MACOSX/photos of mine/cat/._0.png")


def tar_of_torchvision(make: Pictures) -> dict[str, Any]:
    for split in ("train", "val", "test"):
        make.classes(Path("vision") / split, "cat", "dog")
    with tarfile.open("vision.tar.gz", "w:gz") as archive:
        archive.add("vision", "./vision")
    return {"source": "folder", "path": "vision.tar.gz"}


def hugging_face_metadata(make: Pictures) -> dict[str, Any]:
    for split in ("train", "validation"):
        make.flat(Path("hugging/data") / split, [f"{n:04}.png" for n in range(2 * PER_CLASS)])
        rows = "".join(f"{n:04}.png,{'cat' if n % 2 else 'dog'}\n" for n in range(2 * PER_CLASS))
        (Path("hugging/data") / split / "metadata.csv").write_text(f"file_name,label\n{rows}")
    return {"source": "folder", "path": "hugging"}


def roboflow(make: Pictures) -> dict[str, Any]:
    for split in ("train", "valid", "test"):
        make.classes(Path("roboflow") / split, "cat", "dog")
    Path("roboflow/README.roboflow.txt").write_text("made by a tool")
    return {"source": "folder", "path": "roboflow"}


def food101(make: Pictures) -> dict[str, Any]:
    make.classes(Path("food-101/images"), "apple_pie", "baklava")
    Path("food-101/meta").mkdir()
    Path("food-101/meta/train.txt").write_text("apple_pie/0\n")
    return {"source": "folder", "path": "food-101"}


def kaggle_without_endings(make: Pictures) -> dict[str, Any]:
    names = [f"{n:032x}" for n in range(2 * PER_CLASS)]
    make.flat(Path("breeds/train"), [f"{name}.jpg" for name in names])
    rows = "".join(f"{name},{'boxer' if n % 2 else 'pug'}\n" for n, name in enumerate(names))
    Path("breeds/labels.csv").write_text(f"id,breed\n{rows}")
    columns = {"image": "id", "label": "breed"}
    return {"source": "csv", "path": "breeds/labels.csv", "folder": "breeds/train", "columns": columns}


def kaggle_one_column_a_class(make: Pictures) -> dict[str, Any]:
    names = [f"ISIC_{n:07}" for n in range(2 * PER_CLASS)]
    make.flat(Path("isic/input"), [f"{name}.jpg" for name in names])
    rows = "".join(f"{name},{n % 2}.0,{1 - n % 2}.0,0.0\n" for n, name in enumerate(names))
    Path("isic/truth.csv").write_text(f"image,MEL,NV,UNK\n{rows}")
    return {
        "source": "csv",
        "path": "isic/truth.csv",
        "folder": "isic/input",
        "columns": {"label": ["MEL", "NV", "UNK"]},
    }


def label_studio(make: Pictures) -> dict[str, Any]:
    names = [f"photo {n}.png" for n in range(2 * PER_CLASS)]
    make.flat(Path("studio"), names)
    rows = "".join(
        f"{n},1,{'cat' if n % 2 else 'dog'},{n},/data/upload/1/0a1b2c3d-{name.replace(' ', '%20')}\n"
        for n, name in enumerate(names)
    )
    Path("studio/project-1.csv").write_text(f"annotation_id,annotator,choice,id,image\n{rows}")
    return {"source": "csv", "path": "studio/project-1.csv", "columns": {"label": "choice"}}


def cvat(make: Pictures) -> dict[str, Any]:
    folder = make.classes(Path("cvat"), "cat", "dog")
    return zipped(folder, Path("task 1 imagenet.zip"), "", "synsets.txt")


def german_spreadsheet(make: Pictures) -> dict[str, Any]:
    names = [f"Bild{n}.png" for n in range(2 * PER_CLASS)]
    make.flat(Path("tabelle/Bilder"), names)
    rows = "".join(f"Bilder\\{name};{'größer' if n % 2 else 'kleiner'};;\r\n" for n, name in enumerate(names))
    Path("tabelle/Liste.csv").write_bytes(f"Datei;Klasse;;\r\n{rows};;;\r\n".encode("utf-8-sig"))
    return {"source": "csv", "path": "tabelle/Liste.csv", "columns": {"image": "Datei", "label": "Klasse"}}


def table_and_archive(make: Pictures) -> dict[str, Any]:
    names = [f"{n}.png" for n in range(2 * PER_CLASS)]
    make.flat(Path("loose"), names)
    zipped(Path("loose"), Path("loose.zip"), "in/")
    rows = "".join(f"in/{name}\t{'cat' if n % 2 else 'dog'}\n" for n, name in enumerate(names))
    Path("loose.tsv").write_text(f"image\tlabel\n{rows}")
    return {"source": "csv", "path": "loose.tsv", "folder": "loose.zip"}


def json_lines(make: Pictures) -> dict[str, Any]:
    names = [f"{n}.png" for n in range(2 * PER_CLASS)]
    make.flat(Path("lines"), names)
    Path("lines/all.jsonl").write_text(
        "".join(json.dumps({"image": x, "label": n % 2}) + "\n" for n, x in enumerate(names))
    )
    return {"source": "csv", "path": "lines/all.jsonl"}


def odd_class_folders(make: Pictures) -> dict[str, Any]:
    return {"source": "folder", "path": str(make.classes(Path("Klassen é"), *ODD_FOLDERS))}


def odd_labels(make: Pictures) -> dict[str, Any]:
    text = io.StringIO()
    rows = [(f"{n}.png", ODD_LABELS[n % len(ODD_LABELS)]) for n in range(PER_CLASS * len(ODD_LABELS))]
    make.flat(Path("odd"), [name for name, _ in rows])
    pd.DataFrame(rows, columns=["image", "label"]).to_csv(text, index=False)
    Path("odd/t.csv").write_text(text.getvalue())
    return {"source": "csv", "path": "odd/t.csv"}


TWO = {"cat": PER_CLASS, "dog": PER_CLASS}
WORKING: list[tuple[Callable[[Pictures], dict[str, Any]], dict[str, int], set[str]]] = [
    (zip_of_a_wrapped_folder, TWO, {"train", "test"}),
    (tar_of_torchvision, dict.fromkeys(TWO, 3 * PER_CLASS), {"train", "val", "test"}),
    (hugging_face_metadata, dict.fromkeys(TWO, 2 * PER_CLASS), {"train", "val", "test"}),
    (roboflow, dict.fromkeys(TWO, 3 * PER_CLASS), {"train", "val", "test"}),
    (food101, dict.fromkeys(("apple_pie", "baklava"), PER_CLASS), {"train", "test"}),
    (kaggle_without_endings, dict.fromkeys(("boxer", "pug"), PER_CLASS), {"train", "test"}),
    (kaggle_one_column_a_class, dict.fromkeys(("MEL", "NV"), PER_CLASS), {"train", "test"}),
    (label_studio, TWO, {"train", "test"}),
    (cvat, TWO, {"train", "test"}),
    (german_spreadsheet, dict.fromkeys(("größer", "kleiner"), PER_CLASS), {"train", "test"}),
    (table_and_archive, TWO, {"train", "test"}),
    (json_lines, dict.fromkeys(("0", "1"), PER_CLASS), {"train", "test"}),
    (
        odd_class_folders,
        dict.fromkeys((unicodedata.normalize("NFC", x) for x in ODD_FOLDERS), PER_CLASS),
        {"train", "test"},
    ),
    (odd_labels, dict.fromkeys((unicodedata.normalize("NFC", x) for x in ODD_LABELS), PER_CLASS), {"train", "test"}),
]


def archives_in_an_archive(make: Pictures) -> dict[str, Any]:
    zipped(make.classes(Path("inner"), "cat", "dog"), Path("train.zip"))
    Path("outer").mkdir()
    shutil.move("train.zip", "outer")
    return zipped(Path("outer"), Path("outer.zip"))


def labels_in_file_names(make: Pictures) -> dict[str, Any]:
    make.flat(Path("dogs-vs-cats/train"), [f"{label}.{n}.png" for label in ("cat", "dog") for n in range(PER_CLASS)])
    return {"source": "folder", "path": "dogs-vs-cats"}


def pictures_and_masks(make: Pictures) -> dict[str, Any]:
    make.classes(Path("pets"), "images", "annotations")
    return {"source": "folder", "path": "pets"}


def folds(make: Pictures) -> dict[str, Any]:
    for fold in ("fold_1", "fold_2"):
        make.classes(Path("folds") / fold, "cat", "dog")
    return {"source": "folder", "path": "folds"}


def columns_not_named(make: Pictures) -> dict[str, Any]:
    return {"source": "csv", "path": kaggle_without_endings(make)["path"]}


def folder_not_named(make: Pictures) -> dict[str, Any]:
    return {name: value for name, value in kaggle_without_endings(make).items() if name != "folder"}


def addresses_not_allowed(_: Pictures) -> dict[str, Any]:
    Path("web.csv").write_text("image,label\nhttps://example.org/a.jpg,cat\n")
    return {"source": "csv", "path": "web.csv"}


def several_labels(_: Pictures) -> dict[str, Any]:
    Path("several.csv").write_text('image,choice\na.png,"{""choices"": [""cat"", ""dog""]}"\n')
    return {"source": "csv", "path": "several.csv", "columns": {"label": "choice"}}


def half_an_archive(make: Pictures) -> dict[str, Any]:
    options = zipped(make.classes(Path("half"), "cat", "dog"), Path("half.zip"))
    os.truncate("half.zip", Path("half.zip").stat().st_size // 2)
    return options


def another_archive(_: Pictures) -> dict[str, Any]:
    Path("photos.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))
    return {"source": "folder", "path": "photos.7z"}


REFUSED: list[tuple[Callable[[Pictures], dict[str, Any]], str]] = [
    (archives_in_an_archive, r"It holds archives: unpack train\.zip"),
    (labels_in_file_names, r"the splits train/, but no class folders in train/.*list the pictures in a CSV file"),
    (pictures_and_masks, r"annotations/, images/: pictures and their annotations, by their names, not classes"),
    (folds, r"fold_1/, fold_2/: folds of a cross-validation"),
    (columns_not_named, r"received id, breed\. .*for example columns: {image: id, label: breed}"),
    (folder_not_named, r"None of the 12 files is there; the first would be 0{32}\. .*let `folder` under datasets"),
    (
        addresses_not_allowed,
        r"line 2, has the image https://example.org/a.jpg, which is an address.*say download: true",
    ),
    (several_labels, r"has the label .*choices.*Expected one class for each picture"),
    (half_an_archive, r"half\.zip is damaged, or its copy is incomplete: .*Copy or download it again"),
    (another_archive, r"photos\.7z is a 7-Zip archive, which is not read\. Unpack it yourself"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a data set for each layout, in a folder whose own name is odd."""
    folder = tmp_path_factory.mktemp("layouts") / "mein Projekt é"
    folder.mkdir()
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        params = yaml.safe_load(PARAMS.read_text())
        params["datasets"] = {}
        for layout, *_ in (*WORKING, *REFUSED):
            Path(layout.__name__).mkdir()
            with contextlib.chdir(layout.__name__):
                options = layout(Pictures())
            for key in {"path", "folder"} & options.keys():
                options[key] = f"{layout.__name__}/{options[key]}"
            params["datasets"][layout.__name__] = options
        params["backbones"] = {"vgg16": {"weights": None, "image_size": 32}}
        params["prepare"] |= {"min_images_per_class": PER_CLASS, "near_duplicate_bits": None}
        Path("params.yaml").write_text(yaml.safe_dump(params))
        yield folder


def scan_and_prepare(name: str) -> None:
    scan.run(name)
    prepare.run(name)


@pytest.mark.parametrize(("layout", "counts", "splits"), WORKING, ids=lambda value: getattr(value, "__name__", ""))
def test_layouts_that_work(
    project: Path, layout: Callable[..., object], counts: dict[str, int], splits: set[str]
) -> None:
    name = layout.__name__
    scan_and_prepare(name)
    state = (project / "data/sources" / f"{name}.json").read_text()
    manifest = read_manifest(project / "data/prepared" / name / "manifest.csv")
    assert manifest["label"].value_counts().to_dict() == counts
    assert set(manifest["split"]) == splits
    scan.run(name)
    assert (project / "data/sources" / f"{name}.json").read_text() == state
    assert str(project) not in (project / "data/prepared" / name / "card.json").read_text()


@pytest.mark.parametrize("layout", [odd_labels, zip_of_a_wrapped_folder], ids=lambda value: value.__name__)
def test_pictures_are_packed_with_their_classes(project: Path, layout: Callable[..., object]) -> None:
    name = layout.__name__
    prepare.run(name)
    preprocess.run(name, "vgg16")
    packed = read_packed(project / "data/packed" / f"{name}-vgg16")
    counts = next(counts for made, counts, _ in WORKING if made is layout)
    assert list(packed.classes) == sorted(counts)
    assert len(packed.images) == sum(counts.values())


@pytest.mark.parametrize(("layout", "message"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_layouts_that_are_one_clear_error(project: Path, layout: Callable[..., object], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        scan_and_prepare(layout.__name__)
    assert len(str(caught.value).splitlines()) == 1
    assert not (project / "data/prepared" / layout.__name__).exists()
