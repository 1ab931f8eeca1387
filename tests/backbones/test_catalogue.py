import subprocess
import sys

import keras
import pytest

from frostline.backbones.catalogue import CATALOGUE, application, find_backbone, resolve_image_size
from frostline.config.schema import BackboneConfig
from frostline.errors import BackboneError

SMALLEST_WITH_TOP = [
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetB1",
    "MobileNetV2",
    "ResNet50V2",
    "Xception",
]


@pytest.mark.parametrize("name", ["vgg16", "VGG16", "VGG-16", "vgg_16"])
def test_spelling_does_not_matter(name):
    assert find_backbone(name, BackboneConfig()) is CATALOGUE["vgg16"]


def test_the_application_wins_over_the_key():
    assert find_backbone("mine", BackboneConfig(application="inception_v3")) is CATALOGUE["inceptionv3"]


@pytest.mark.parametrize("name", [name for name in dir(keras.applications) if name[0].isupper()])
def test_every_keras_application_is_found_with_its_own_preprocessing(name):
    spec = find_backbone("any", BackboneConfig(application=name.lower()))
    constructor, preprocess = application(spec)
    assert constructor is getattr(keras.applications, name)
    assert preprocess.__module__ == constructor.__module__


@pytest.mark.parametrize("name", SMALLEST_WITH_TOP)
def test_the_native_size_of_uncatalogued_applications_is_what_keras_builds_with_a_top(name):
    network = getattr(keras.applications, name)(weights=None)
    assert find_backbone(name, BackboneConfig()).native_size == network.input_shape[1]


@pytest.mark.parametrize(
    "spec", [*CATALOGUE.values(), find_backbone("xception", BackboneConfig())], ids=lambda s: s.name
)
def test_keras_refuses_what_is_below_the_minimum_size(spec):
    constructor, _ = application(spec)
    side = spec.minimum_size - 1
    with pytest.raises(ValueError, match=f"must be at least {spec.minimum_size}x{spec.minimum_size}"):
        constructor(weights=None, include_top=False, input_shape=(side, side, 3))


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(
        BackboneError, match=r"called 'resnet5O' \(backbones\.mine in params\.yaml\)\. Did you mean resnet50"
    ):
        find_backbone("mine", BackboneConfig(application="resnet5O"))
    with pytest.raises(BackboneError, match=r"Did you mean vgg19 or vgg16\?"):
        find_backbone("vgg61", BackboneConfig())
    with pytest.raises(BackboneError, match=r"Known: vgg16, .*xception"):
        find_backbone("zzz", BackboneConfig())


def test_image_sizes():
    assert resolve_image_size("inceptionv3", BackboneConfig()) == 299
    assert resolve_image_size("inceptionv3", BackboneConfig(image_size=75)) == 75
    with pytest.raises(BackboneError, match=r"must be native \(299\) or at least 75 for InceptionV3, but got 74"):
        resolve_image_size("inceptionv3", BackboneConfig(image_size=74))


def test_a_catalogued_size_needs_no_keras():
    code = (
        "import sys; from frostline.config.schema import BackboneConfig; "
        "from frostline.backbones.catalogue import resolve_image_size; "
        "resolve_image_size('vgg16', BackboneConfig()); sys.exit('keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
