from pathlib import Path

import pytest
import yaml

from frostline.config.load import load_config
from frostline.config.schema import Config

COMMITTED = Path(__file__).parents[2] / "params.yaml"
MATRIX = ("datasets", "sizes", "backbones")
OF_THE_EXAMPLE = (*MATRIX, "promotion", "cards")  # a floor, and words for model cards

SHORT = """\
datasets:
  photos:
    source: folder
    path: images
sizes:
  all: all
backbones:
  vgg16:
"""


def test_ten_lines_are_enough(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(SHORT)
    config = load_config(file)
    assert config.size("all") == "all"
    assert config.backbone("vgg16").weights == "imagenet"


@pytest.mark.parametrize("section", sorted(set(Config.model_fields) - set(OF_THE_EXAMPLE)))
def test_a_key_that_is_left_out_means_what_the_committed_file_says(tmp_path: Path, section: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(SHORT)
    assert getattr(load_config(file), section) == getattr(load_config(COMMITTED), section)


@pytest.mark.parametrize("section", sorted(set(Config.model_fields) - {*MATRIX, "seed", "cards"}))
def test_an_empty_section_is_one_of_defaults(tmp_path: Path, section: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"{SHORT}{section}:\n")
    assert getattr(load_config(file), section) == Config.model_fields[section].default


def test_every_key_is_in_the_committed_file() -> None:
    written = yaml.safe_load(COMMITTED.read_text())
    for section, field in Config.model_fields.items():
        keys = set(getattr(field.annotation, "model_fields", {}))
        assert not keys or keys <= set(written[section]), section
