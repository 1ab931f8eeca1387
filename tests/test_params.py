"""Whatever params.yaml holds is read, or refused in words that name the key."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from frostline.errors import ConfigError
from frostline.params import load_config

PARAMS = Path(__file__).parents[1] / "params.yaml"


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
        ("profile.similar_up_to", 0, r"profile.similar_up_to: .*greater than 0"),
        ("profile.images", 5, r"profile.images: .*greater than or equal to 20"),
        ("serch", {}, r"serch: unknown key. Did you mean 'search'\?"),
        ("datasets.solar_cells.treshold", 0.5, r"treshold: unknown key. Did you mean 'threshold'\?"),
        ("backbones.vgg16.size", 96, r"backbones.vgg16.size: unknown key. Did you mean 'image_size'\?|Known: app"),
        ("backbones.vgg16.image_size", 0, r"has 1 fault\(s\):\n.*image_size: must be native or a whole .*; received 0"),
        ("backbones.vgg16.image_size", "big", r"image_size: must be native or a whole .*; received 'big'"),
        ("datasets.mine", {"source": "folder"}, r"datasets.mine.folder.path: missing"),
        ("datasets.mine", {"source": "zip"}, r"datasets.mine: .*'zip'"),
        ("datasets.my-set", {"source": "elpv"}, r"letters, digits and underscores only"),
        ("sizes.small", 0, r"sizes.small: .* received 0"),
        ("prepare.test_fraction", 1.0, r"prepare.test_fraction: .* less than 1; received 1.0"),
        ("preprocess.resize", "squash", r"preprocess.resize: .*'stretch', 'crop' or 'pad'; received 'squash'"),
        ("search.head_learning_rate", [0.0, 0.1], r"logarithmic scale must be above 0"),
        ("search.head_learning_rate", [0.1, 0.01], r"low <= high, but got \[0.1, 0.01\]"),
        ("search.dropout", [0.0, 1.0], r"dropout must lie in \[0, 1\)"),
        ("seed", -1, r"seed: .* received -1"),
    ],
)
def test_faults_name_the_key_and_what_was_received(tmp_path: Path, key: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(changed(tmp_path, key, value))


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    file = changed(tmp_path, "stores", {"cache_gigabytes": 0})
    with pytest.raises(ConfigError, match=r"has 4 fault\(s\)"):
        load_config(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist in .*change to it"),
        (b"a: [", "is not valid YAML"),
        (b"- a", "must hold sections such as 'datasets:', but it holds list"),
        (b"", "but it holds NoneType"),
        (b"\xff\xfe\xfa", "cannot be read"),
    ],
)
def test_file_that_is_no_configuration(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "params.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(file)


@pytest.mark.parametrize("value", ["auto", ["fine_tune", "retrain"]])
def test_strategies_are_auto_or_a_list(tmp_path: Path, value: Any) -> None:
    strategies = load_config(changed(tmp_path, "search.strategies", value)).search.strategies
    assert strategies == (value if value == "auto" else tuple(value))
