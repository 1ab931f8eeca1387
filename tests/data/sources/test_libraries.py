"""Data sets by name: real ones, made here, as `datasets` and `tensorflow_datasets` load them if they are installed."""

import csv
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from frostline.config.datasets import HuggingFaceConfig, TfdsConfig
from frostline.data.sources import Record, Source, open_source
from frostline.data.sources.digests import Digests
from frostline.errors import DataError, PackageError


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HF_HOME", "HF_DATASETS_CACHE", "TFDS_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))


def hugging_face(**options: Any) -> Source:
    return open_source(HuggingFaceConfig(source="huggingface", **options))


def tfds_source(**options: Any) -> Source:
    return open_source(TfdsConfig(source="tfds", **options))


def picture(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8))


def found(source: Source) -> list[tuple[str, str | None]]:
    return sorted((record.label, record.split) for record in source.records())


@pytest.mark.parametrize(
    ("source", "package", "extra"),
    [("huggingface", "datasets", "huggingface"), ("tfds", "tensorflow-datasets", "tfds")],
)
def test_without_the_package_one_clear_error_names_the_extra(source: str, package: str, extra: str) -> None:
    if util.find_spec(package.replace("-", "_")):
        pytest.skip(f"{package} is installed")
    made = hugging_face(name="beans") if source == "huggingface" else tfds_source(name="beans")
    assert "The data set beans of" in made.to_fetch()
    with pytest.raises(
        PackageError, match=rf"The package {package} is not installed.*pip install 'frostline\[{extra}\]'"
    ):
        made.read()
    assert not list(Path("data/raw").iterdir())


def test_what_was_loaded_once_needs_no_package_and_takes_any_class_name(tmp_path: Path) -> None:
    """As both libraries leave it: see `LibrarySource`."""
    source = hugging_face(name="who/beans", revision="v1")
    assert source.root.name.startswith("who-beans-")
    source.root.mkdir(parents=True)
    with (source.root / "pictures.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "label", "split"), ("0.png", "../a/b", "train"), ("1.png", ".x", "")])
    assert source.to_fetch() == ""
    assert source.records() == [Record("0.png", "../a/b", "train"), Record("1.png", ".x")]
    assert len(source.state(Digests(tmp_path / "memory"))) == 64
    others = [hugging_face(name="who/beans"), hugging_face(name="who/beans", config="small"), tfds_source(name="beans")]
    assert len({source.root, *(other.root for other in others)}) == 4


def test_a_folder_by_hugging_face(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="needs the extra huggingface")
    for split in ("train", "validation", "test"):
        for number, label in enumerate(("cat", "große Katze 🐱")):
            file = tmp_path / "pets" / split / label / f"{number}.{'png' if number else 'jpg'}"
            file.parent.mkdir(parents=True)
            picture(number).save(file)
    source = hugging_face(name="pets")
    assert "will be loaded into data/raw/pets-" in source.to_fetch()
    expected = [(label, split) for label in ("cat", "große Katze 🐱") for split in ("test", "train", "val")]
    assert found(source) == expected
    [first, *_] = [record for record in source.records() if record.label == "cat"]
    assert (source.root / first.image).read_bytes() in [file.read_bytes() for file in tmp_path.glob("pets/*/cat/0.jpg")]
    assert first.image.endswith(".jpeg")
    state = source.state(Digests(tmp_path / "memory"))
    (tmp_path / "pets").rename(tmp_path / "gone")
    assert source.state(Digests(tmp_path / "memory2")) == state


def test_a_table_by_hugging_face_whose_columns_must_be_named(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra huggingface")
    kinds = {"photo": datasets.Image(), "mask": datasets.Image(), "kind": datasets.Value("string")}
    rows = {
        "photo": [picture(0), picture(1), picture(2), None],
        "mask": [picture(3)] * 4,
        "kind": ["a/b", ".hidden", None, "a"],
        "tags": [["x"]] * 4,
    }
    features = datasets.Features({**kinds, "tags": datasets.Sequence(datasets.Value("string"))})
    (tmp_path / "set").mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "set" / "train.parquet")
    with pytest.raises(
        DataError, match=r"does not say which column holds the images\. Its columns are photo, mask, kind"
    ):
        hugging_face(name="set").read()
    with pytest.raises(DataError, match=r"which column holds the labels\. .*for example columns: {label: photo}"):
        hugging_face(name="set", columns={"image": "photo"}).read()
    with pytest.raises(DataError, match=r"has no column sort"):
        hugging_face(name="set", columns={"image": "photo", "label": "sort"}).read()
    with pytest.raises(DataError, match=r"has the column tags of several values"):
        hugging_face(name="set", columns={"image": "photo", "label": "tags"}).read()
    assert not list(Path("data/raw").iterdir())
    source = hugging_face(name="set", columns={"image": "photo", "label": "kind"})
    assert found(source) == [(".hidden", "train"), ("a/b", "train")]


def test_a_data_set_that_hugging_face_does_not_have(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="needs the extra huggingface")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"The data set empty of Hugging Face could not be loaded: .*Mend its name"):
        hugging_face(name="empty").read()


MADE = """
import numpy as np
import tensorflow_datasets as tfds


class Leaves(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        label = tfds.features.ClassLabel(names=["oak", "Ahorn äö"])
        image = tfds.features.Image(shape=(20, 20, 3))
        features = tfds.features.FeaturesDict({"image": image, "label": label, "box": tfds.features.BBoxFeature()})
        return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=("image", "label"))

    def _split_generators(self, manager):
        return {"train": self._generate_examples(3), "test": self._generate_examples(2)}

    def _generate_examples(self, count):
        for number in range(2 * count):
            image = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
            yield number, {"image": image, "label": number % 2, "box": tfds.features.BBox(0.0, 0.0, 1.0, 1.0)}
"""


def test_a_data_set_of_tensorflow_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow_datasets", reason="needs the extra tfds")
    (tmp_path / "leaves_made_here.py").write_text(MADE)
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("leaves_made_here")
    source = tfds_source(name="leaves:1.0.0")
    labels = [("Ahorn äö", "test")] * 2 + [("Ahorn äö", "train")] * 3 + [("oak", "test")] * 2 + [("oak", "train")] * 3
    assert found(source) == labels
    shown = {np.asarray(Image.open(source.root / record.image)).tobytes() for record in source.records()}
    assert np.asarray(picture(5)).tobytes() in shown
    with pytest.raises(DataError, match=r"has image \(.*\) and box \(.*Expected pictures and one class for each"):
        tfds_source(name="leaves", columns={"label": "box"}).read()
    with pytest.raises(DataError, match=r"has no column lable\. Its columns are .*label"):
        tfds_source(name="leaves", columns={"label": "lable"}).read()
    with pytest.raises(DataError, match=r"TensorFlow Datasets has no data set leafs\. .*Mend `name`"):
        tfds_source(name="leafs").read()


def test_no_library_is_imported_before_it_is_needed() -> None:
    """`scan` of another data set stays light, and so does `frostline --help`."""
    words = "import sys, frostline.data.sources; print({'datasets', 'tensorflow_datasets', 'keras'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
