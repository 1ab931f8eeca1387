"""Data sets in params.yaml: every example that a page shows is one that works."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from frostline.config.datasets import Columns, DatasetConfig

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
EXAMPLES = [
    pytest.param(options, id=name)
    for block in re.findall(r"```yaml\n(datasets:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for name, options in yaml.safe_load(block)["datasets"].items()
]


@pytest.mark.parametrize("options", EXAMPLES)
def test_examples_of_the_page_are_data_sets(options: dict[str, object]) -> None:
    TypeAdapter(DatasetConfig).validate_python(options)


def test_the_page_shows_every_source() -> None:
    shown = {options["source"] for [options] in (parameter.values for parameter in EXAMPLES)}
    assert shown == {"folder", "csv", "elpv", "keras", "huggingface", "tfds"}


def test_columns_that_must_be_there_are_those_that_are_named() -> None:
    assert Columns().asked_for == ("image", "label")
    assert Columns(label=("a", "b"), group="patient").asked_for == ("image", "a", "b", "patient")
