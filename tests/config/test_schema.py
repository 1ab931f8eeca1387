"""The committed params.yaml: valid, explained, and what commands without one take for granted."""

from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from frostline.config.effort import EFFORTS, Effort
from frostline.config.load import load_config
from frostline.config.schema import Config, ElpvConfig, PrepareConfig, ProfileConfig, PromotionConfig
from frostline.config.types import MOST_CROPS, MetricName, ViewSets
from frostline.data.views import VIEW_SETS
from frostline.errors import ConfigError
from frostline.evaluation.metrics import METRICS

PARAMS = Path(__file__).parents[2] / "params.yaml"


def test_committed_file_is_valid_and_frozen() -> None:
    config = load_config(PARAMS)
    assert isinstance(config.dataset("solar_cells"), ElpvConfig)
    assert config.size("small") < config.size("large")
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 1  # type: ignore[misc]


def test_every_section_explains_its_keys() -> None:
    lines = [line for line in PARAMS.read_text().splitlines() if line.startswith("  ") and ":" in line]
    for section in ("prepare", "preprocess", "profile", "train", "search", "promotion", "stores"):
        for key in Config.model_fields[section].annotation.model_fields:  # type: ignore[union-attr]
            assert any(line.strip().startswith(f"{key}:") for line in lines), key


def test_what_advise_takes_for_granted_is_what_the_committed_file_says() -> None:
    config = load_config(PARAMS)
    assert config.profile == ProfileConfig()
    assert config.prepare == PrepareConfig()


def test_every_metric_can_be_asked_for() -> None:
    assert get_args(MetricName) == tuple(METRICS)
    with pytest.raises(ValidationError, match="calibration_error cannot be what must be better"):
        PromotionConfig(metric="calibration_error")


@pytest.mark.parametrize(("name", "found"), [(None, "solar_cells"), ("solar_cells", "solar_cells")])
def test_the_only_data_set_needs_no_name(name: str | None, found: str) -> None:
    assert load_config(PARAMS).dataset_name(name) == found


def test_one_of_several_data_sets_must_be_named() -> None:
    config = load_config(PARAMS)
    several = config.model_copy(update={"datasets": config.datasets | {"cats": config.dataset("solar_cells")}})
    with pytest.raises(ConfigError, match=r"several data sets \(solar_cells, cats\): say which with --dataset NAME"):
        several.dataset_name(None)
    with pytest.raises(ConfigError, match="No data set is called 'dogs'"):
        several.dataset_name("dogs")


@pytest.mark.parametrize(
    "source",
    [
        {"source": "folder", "path": "images"},
        {"source": "csv", "path": "images.csv"},
        {"source": "elpv"},
        {"source": "keras", "name": "mnist"},
    ],
)
def test_a_data_set_of_any_source_may_have_views_of_its_own(source: dict[str, str]) -> None:
    document = yaml.safe_load(PARAMS.read_text())
    document["datasets"] = {"plain": source, "own": source | {"views": ["identity", "crops-12"]}}
    config = Config.model_validate(document)
    assert config.views_of("own") == ("identity", "crops-12")
    assert config.views_of("plain") == config.search.views
    assert config.for_dataset("own").search == config.search.model_copy(update={"views": ("identity", "crops-12")})
    assert config.for_dataset("plain") == config
    assert config.dataset("own").origin == config.dataset("plain").origin
    with pytest.raises(ConfigError, match="No data set is called 'others'"):
        config.views_of("others")


def test_more_effort_is_more_of_everything() -> None:
    assert all(
        getattr(EFFORTS[less], name) < getattr(EFFORTS[more], name)
        for less, more in (("quick", "standard"), ("standard", "thorough"))
        for name in Effort.model_fields
    )
    assert list(EFFORTS) == ["quick", "standard", "thorough"]


def test_predictions_are_averaged_over_the_views_of_training_or_none() -> None:
    search = load_config(PARAMS).search
    assert search.test_views_of("flips") == "flips"
    assert search.model_copy(update={"test_views": "identity"}).test_views_of("flips") == "identity"


def test_params_may_name_just_the_sets_of_views_that_there_are() -> None:
    named = TypeAdapter(ViewSets)
    for name in VIEW_SETS:
        assert named.validate_python([name]) == (name,)
    assert len(VIEW_SETS) == 5 + MOST_CROPS


@pytest.mark.parametrize("kind", ["dataset", "size", "backbone"])
def test_unknown_names_list_the_known_ones(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"is called 'nothing'. params.yaml names, under .*: "):
        getattr(load_config(PARAMS), kind)("nothing")


def test_misspelt_name_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'solar_cells'\?"):
        load_config(PARAMS).dataset("solar_cell")
