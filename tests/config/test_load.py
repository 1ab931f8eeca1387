"""Whatever params.yaml holds is read, or refused in words that name the key."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from frostline.config.effort import EFFORTS
from frostline.config.load import load_config
from frostline.errors import ConfigError

PARAMS = Path(__file__).parents[2] / "params.yaml"
DATASETS = PARAMS.read_text(encoding="utf-8").partition("datasets:\n")[2].partition("\n\n")[0]


def changed(tmp_path: Path, key: str, value: Any) -> Path:
    """The committed params.yaml with one value replaced; `key` is a path with dots."""
    document = yaml.safe_load(PARAMS.read_text())
    *sections, last = key.split(".")
    section = document
    for name in sections:
        section = section[name]
    section[last] = value
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("prepare.test_fractoin", 0.1, r"prepare.test_fractoin: unknown key. Did you mean 'test_fraction'\?"),
        ("search.strategies", ["finetune"], r"search.strategies: .*, but 'finetune' is not among them; received"),
        ("search.strategies", "all", r"search.strategies: must be auto or a list of end_.*; received 'all'"),
        ("search.strategies", [], r"search.strategies: must be auto or a list of .*; received \[\]"),
        ("profile.similar_up_to", {"sample": 0}, r"profile.similar_up_to.sample: .*greater than 0"),
        ("profile.similar_up_to", 0.25, r"profile.similar_up_to: must hold indented lines"),
        ("profile.images", 5, r"profile.images: .*greater than or equal to 20"),
        ("compute", {"engine": "dask"}, r"compute.engine: .*'local' or 'ray'; received 'dask'"),
        ("compute", {"gpus": 1.5}, r"compute: gpus must be a share of one GPU, up to 1, or a whole .*, but got 1.5"),
        ("compute", {"cpus": 0}, r"compute.cpus: .*greater than 0; received 0"),
        ("compute", {"worker": 2}, r"compute.worker: unknown key. Did you mean 'workers'\?"),
        ("serch", {}, r"serch: unknown key. Did you mean 'search'\?"),
        ("train.holdout_fraction", 0.2, r"train.holdout_fraction: unknown key. Did you mean 'validation_fraction'\?"),
        ("datasets.solar_cells.treshold", 0.5, r"treshold: unknown key. Did you mean 'threshold'\?"),
        ("backbones.vgg16.size", 96, r"backbones.vgg16.size: unknown key. Did you mean 'image_size'\?|Known: app"),
        ("backbones.vgg16.preset", "a", r"a preset is a network with its weights, but weights stands beside it"),
        ("backbones.vgg16.image_size", 0, r"has 1 fault:\n.*image_size: must be native or a whole .*; received 0"),
        ("backbones.vgg16.image_size", 5000, r"image_size: must be native or a whole .* to 4096; received 5000"),
        ("backbones.vgg16.image_size", "big", r"image_size: must be native or a whole .*; received 'big'"),
        ("datasets.mine", {"source": "folder"}, r"datasets.mine.folder.path: missing"),
        ("datasets.mine", {"source": "zip"}, r"datasets.mine: .*'zip'"),
        ("datasets.my-set", {"source": "elpv"}, r"letters, digits and underscores only"),
        ("sizes.small", 0, r"sizes.small: .* received 0"),
        ("sizes.small", "every", r"sizes.small: must be all, or a whole number .*; received 'every'"),
        ("sizes.small", 2.5, r"sizes.small: must be all, or a whole number .*; received 2.5"),
        ("sizes.small", True, r"sizes.small: must be all, or a whole number .*; received True"),
        ("prepare.test_fraction", 1.0, r"prepare.test_fraction: .* less than 1; received 1.0"),
        ("preprocess.resize", "squash", r"preprocess.resize: .*'stretch', 'crop' or 'pad'; received 'squash'"),
        ("search.head_learning_rate", [0.0, 0.1], r"logarithmic scale must be above 0"),
        ("search.head_learning_rate", [0.1, 0.01], r"low <= high, but got \[0.1, 0.01\]"),
        ("search.dropout", [0.0, 1.0], r"dropout must lie in \[0, 1\)"),
        ("seed", -1, r"seed: .* received -1"),
        ("search.views", [], r"search.views: must hold 1 or more, but holds 0; received \[\]"),
        ("search.views", "crops", r"search.views: must be a list in brackets, such as \[a, b\]; received 'crops'"),
        (
            "search.views",
            ["mirror", "crop", "crops-0", "crops-33", "crops-06", 6],
            r"has 5 faults:\n  search.views.1: must be identity, mirror, flips, dihedral, crops, or crops-K with K "
            r"from 1 to 32; received 'crop'.\n.*'crops-0'.\n.*'crops-33'.\n.*'crops-06'.\n.*views.5: .*received 6.$",
        ),
        ("datasets.solar_cells.views", [], r"datasets.solar_cells.elpv.views: must hold 1 or more, but holds 0"),
        ("datasets.solar_cells.views", ["turns"], r"elpv.views.0: must be identity, .* crops-K .*; received 'turns'"),
        ("datasets.solar_cells.view", ["flips"], r"view: unknown key. Did you mean 'views'\?"),
        ("search.dropout", [0, 1, 0, 5], r"search.dropout: must hold 2 or fewer, but holds 4; received"),
        (
            "search.pooling",
            "average",
            r"search.pooling: must be a list in brackets, such as \[a, b\]; received 'average'",
        ),
        (
            "search.pooling",
            ["avg", "max"],
            r"has 2 faults:\n  search.pooling.0: .*'avg'.\n  search.pooling.1: .*'max'.$",
        ),
        (
            "datasets.mine",
            {"source": "CSV"},
            r"datasets.mine: source must be one of 'folder', 'csv', 'elpv', 'keras', 'huggingface', 'tfds'; ",
        ),
        ("datasets.mine", {"source": "csv", "path": None}, r"datasets.mine.csv.path: must be a path; received None"),
        ("datasets.mine", {"source": "csv", "path": "t.csv", "colums": {}}, r"unknown key. Did you mean 'columns'\?"),
        (
            "datasets.mine",
            {"source": "csv", "path": "t.csv", "columns": {"lable": "breed"}},
            r"datasets.mine.csv.columns.lable: unknown key. Did you mean 'label'\?",
        ),
        (
            "datasets.mine",
            {"source": "csv", "path": "t.csv", "columns": {"label": ["one"]}},
            r"columns.label: must be the name of a column, or a list of two or more columns, .*; received \['one'\]",
        ),
        (
            "datasets.mine",
            {"source": "csv", "path": "t.csv", "columns": {"image": "Label"}},
            r"csv.columns: must name each column once, but label is named more than once",
        ),
        (
            "datasets.mine",
            {"source": "csv", "path": "t.csv", "folder": "photos", "download": True},
            r"datasets.mine.csv: folder and download exclude each other",
        ),
        ("datasets.mine", {"source": "huggingface"}, r"datasets.mine.huggingface.name: missing"),
        (
            "datasets.mine",
            {"source": "tfds", "name": "mnist", "columns": {"labels": "y"}},
            r"datasets.mine.tfds.columns.labels: unknown key. Did you mean 'label'\?",
        ),
        ("profile.similar_up_to", {"smaple": 1}, r"similar_up_to.smaple: unknown key. Did you mean 'sample'\?"),
        (
            "search.effort",
            "quik",
            r"effort: must be quick, standard, thorough, or numbers {.*}. Did you mean 'quick'",
        ),
        ("search.effort", "huge", r"Known: quick, standard, thorough.; received 'huge'"),
        ("search.effort", 12, r"search.effort: must be quick, .*; received 12"),
        ("search.effort", None, r"search.effort: must be quick, .*; received None"),
        ("search.effort", ["quick"], r"search.effort: must be quick, .*; received \['quick'\]"),
        (
            "search.effort",
            {"heads": 3, "thawed": 1},
            r"has 1 fault:\n  search.effort.images: missing; `fro",
        ),
        ("search.effort", {}, r"has 3 faults:\n  search.effort.heads: missing"),
        (
            "search.effort",
            {"heads": 0, "thawed": -1, "images": -5},
            r"effort.heads: .*received 0.\n.*effort.thawed: .*received -1.\n.*effort.images: .*received -5.$",
        ),
        (
            "search.effort",
            {"head": 3, "thawed": 1, "images": 1},
            r"effort.heads: missing; .*\n.*effort.head: unknown key. Did you mean 'heads'\?",
        ),
        ("search.test_views", "all", r"search.test_views: .*'same' or 'identity'; received 'all'"),
    ],
)
def test_faults_name_the_key_and_what_was_received(tmp_path: Path, key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(changed(tmp_path, key, value))


@pytest.mark.parametrize(
    ("key", "value", "instead"),
    [
        ("search.trials", 12, r"search.effort says how much is tried: quick, standard or thorough"),
        ("search.weight_decay", [0.1, 1], r".*: remove it"),
        ("train.budget", 200, r"search.effort says on how many images trials may train: quick, standard or thorough"),
        ("train.head_epochs", 5, r"a head is computed, not trained: remove it"),
    ],
)
def test_a_key_that_is_gone_says_what_came_in_its_place(tmp_path: Path, key: str, value: Any, instead: str) -> None:
    with pytest.raises(ConfigError, match=rf"has 1 fault:\n  {key}: no longer a key; {instead}\.$"):
        load_config(changed(tmp_path, key, value))


@pytest.mark.parametrize("word", EFFORTS)
def test_effort_is_a_word_or_what_it_stands_for(tmp_path: Path, word: str) -> None:
    search = load_config(changed(tmp_path, "search.effort", word)).search
    assert search.effort == EFFORTS[word]
    numbers = search.model_dump(mode="json")["effort"]
    assert load_config(changed(tmp_path, "search.effort", numbers)).search == search


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    file = changed(tmp_path, "train", {"folds": 1, "epochs": 0, "patience": 0, "warmup": -1})
    with pytest.raises(ConfigError, match=r"has 4 faults:\n"):
        load_config(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist in .*change to it"),
        (b"a: [", "is not valid YAML in line 1, column 5: "),
        (b"- a", "must hold sections such as 'datasets:', but it holds a list"),
        (b"", "but it is empty"),
        (b"# nothing", "but it is empty"),
        (b"\xff\xfea\x00", r"is not in UTF-8: byte 0xff in line 1 .* Save the file as UTF-8"),
        (b"a: 1\nb: caf\xe9\n", r"is not in UTF-8: byte 0xe9 in line 2"),
        (b"a:\n\tb: 1", r"line 2, column 1: .*Indent with spaces, not with tabs"),
        (b"a: 1\na: 2", r"line 2, column 1: found duplicate key .*Remove or rename one"),
        (b'a: "C:\\Users"', r"expected escape sequence .* Use single quotes, or /"),
        (b'a: "C:\\pictures"', r"unknown escape character .* Use single quotes, or /"),
        (b"a: b: c", r"line 1, column 5: .*Put a value that holds a colon in quotes"),
        (b"a: @b", r"cannot start any token\. Put the value in quotes"),
        (b"a: 1\n---\nb: 2", r"found another document"),
        (b"a: \x07", r"is not valid YAML: unacceptable character"),
        (b"a: 2024-13-45", r"is not valid YAML: month must be in 1..12"),
        (b"[" * 20_000, r"is not valid YAML"),
    ],
)
def test_file_that_is_no_configuration(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "params.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(file)


def test_a_folder_in_place_of_the_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: .*Is a directory"):
        load_config(tmp_path)


def edited(tmp_path: Path, before: str, after: str) -> Path:
    """The committed params.yaml with `before` replaced in its text."""
    text = PARAMS.read_text()
    assert before in text
    file = tmp_path / "params.yaml"
    file.write_text(text.replace(before, after), newline="")
    return file


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("small: 50", "50: 50", r'sizes.50: a name must be text, .* 50 \(int\): put it in quotes, "50"'),
        ("small: 50", "1_000: 50", r'put it in quotes, "1000"'),
        ("small: 50", "true: 50", r'True \(bool\): put it in quotes, "true"'),
        ("small: 50", "~: 50", r"None \(NoneType\): rename it, in letters, digits and underscores"),
        ("small: 50", "1.5: 50", r"1.5 \(float\): rename it"),
        ("small: 50", "2024-01-01: 50", r"\(date\): rename it"),
        ("small: 50", "? [a, b]\n  : 50", r"\('a', 'b'\) \(tuple\): rename it"),
        ("small: 50", "Large: 50", r"Large and large differ in letter case alone, .*: rename one"),
        ("small: 50", "s" * 65 + ": 50", r"underscores only, 64 at most"),
        ("small: 50", "small: .inf", r"sizes.small: must be all, or a whole number .* to 2147483647; received inf"),
        ("small: 50", "small: 1e10", r"sizes.small: must be all, or a whole number .* to 2147483647; received 1000"),
        ("small: 50", "small: &x\n    a: *x", r"sizes.small: must be all, or a whole number .*; received {'a'"),
        ("folds: 5 ", "5: 5 ", r'profile.5: a name must be text, .*put it in quotes, "5"'),
        ("warmup: 1 ", "warmup: .nan ", r"train.warmup: .*finite number; received nan"),
        ("effort: quick", "effort: {heads: 1, thawed: 1, images: .inf}", r"effort.images: .*finite number; .* inf"),
        ("effort: quick", "effort:", r"search.effort: must be quick, standard, thorough, or .*; received None"),
        ("[0.00001, 0.001]", "[1e-5, .inf]", r"search.head_learning_rate.1: .*finite number; received inf"),
        ("cache_gigabytes: 20", "cache_gigabytes: 1e400", r"stores.cache_gigabytes: .*finite number"),
        ("balanced_accuracy: 0.6", "accuracy: .nan", r"promotion.floors.accuracy: .*finite number"),
        ("batchnorm: 0.3", "batchnorm: -.inf", r"profile.similar_up_to.batchnorm: .*finite number"),
        ("image_size: 128", "image_size: .inf", r"image_size: must be native or a whole number .*; received inf"),
        (DATASETS, "  - cells", r"datasets: must hold indented lines"),
        (DATASETS, "  cells:", r"datasets.cells: must hold indented"),
        ("    source: elpv\n", "", r"datasets.solar_cells.source: missing"),
        ("seed: 20", "seed: [" + "20, " * 1000 + "]", r"seed: .*; received \[20, 20, 20, 20, 20, 20, \.\.\.\]"),
    ],
)
def test_what_yaml_makes_of_a_line_is_explained(tmp_path: Path, before: str, after: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(edited(tmp_path, before, after))


@pytest.mark.parametrize("name", ["no", "on", "y", "'50'", "_"])
def test_names_are_read_as_dvc_reads_them(tmp_path: Path, name: str) -> None:
    assert load_config(edited(tmp_path, "small: 50", f"{name}: 50")).size(name.strip("'")) == 50


@pytest.mark.parametrize(
    ("before", "after"),
    [("# Every", "\ufeff# Every"), ("\n", "\r\n"), ("large: 400", "large: 4e2"), ("large: 400", "large: 0400")],
)
def test_other_ways_to_write_the_same_are_the_same(tmp_path: Path, before: str, after: str) -> None:
    assert load_config(edited(tmp_path, before, after)) == load_config(PARAMS)


@pytest.mark.parametrize("value", ["auto", ["fine_tune", "retrain"]])
def test_strategies_are_auto_or_a_list(tmp_path: Path, value: Any) -> None:
    search = load_config(changed(tmp_path, "search.strategies", value)).search
    assert search.strategies == (value if value == "auto" else tuple(value))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert search.model_dump(mode="json")["strategies"] == value
        assert json.loads(search.model_dump_json())["strategies"] == value
