import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from frostline.backbones.catalogue import CATALOGUE
from frostline.config.types import Named
from frostline.scaffold.proposal import dataset_name, image_size


@given(st.text(min_size=1).filter(lambda name: "/" not in name and "\0" not in name))
def test_any_folder_gets_a_name_that_params_yaml_allows(name: str) -> None:
    TypeAdapter(Named[int]).validate_python({dataset_name(name): 1})


@pytest.mark.parametrize(
    ("side", "backbone", "accelerated", "pixels"),
    [
        (300, "vgg16", False, 128),
        (300, "vgg16", True, 224),
        (100, "vgg16", False, 96),
        (96, "vgg16", True, 96),
        (20, "vgg16", False, 32),
        (20, "inceptionv3", False, 75),
        (4000, "inceptionv3", True, 299),
    ],
)
def test_a_network_sees_no_more_than_there_is(side: float, backbone: str, accelerated: bool, pixels: int) -> None:
    assert image_size(side, CATALOGUE[backbone], accelerated=accelerated)[0] == pixels
