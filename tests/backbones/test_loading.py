"""Files of Keras give their numbers, whatever stands around the network in them; no other file is taken for one."""

import json
import pickle
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from frostline.backbones.catalogue import CATALOGUE, find_backbone
from frostline.backbones.loading import load_weights
from frostline.backbones.surgery import build_backbone
from frostline.backbones.weights import digest
from frostline.config.schema import BackboneConfig
from frostline.errors import WeightsError

VGG16 = CATALOGUE["vgg16"]
SIDE = 32


def built(name, side=SIDE, /, **kwargs):
    """A network of `name` from Keras, after others, so that its layers have high numbers."""
    layers.Conv2D(3, 1), layers.BatchNormalization()
    constructor = getattr(keras.applications, find_backbone(name, BackboneConfig()).application)
    return constructor(**{"weights": None, "include_top": False, "input_shape": (side, side, 3)} | kwargs)


def vgg16(**kwargs):
    return built("vgg16", **kwargs)


def inside(base, side=SIDE):
    """As keras.io shows it: the base as a layer of a classifier, here with an unequal first layer, half frozen."""
    for position, layer in enumerate(base.layers):
        layer.trainable = position > len(base.layers) // 2
    x = layers.Conv2D(3, 1)(layers.RandomFlip()(images := keras.Input((side, side, 3))))
    return keras.Model(images, layers.Dense(3)(layers.BatchNormalization()(layers.GlobalAveragePooling2D()(base(x)))))


def with_top(name, base, side=SIDE):
    whole = built(name, side, include_top=True, classes=5)
    for mine, given in zip(weighted(whole), weighted(base), strict=False):
        mine.set_weights(given.get_weights())
    return whole


def weighted(network):
    return [layer for layer in network.layers if layer.weights]


def write(network, path):
    if path.name.endswith(".weights.h5"):
        network.save_weights(path)
    else:
        network.save(path)
    return path


FORMS = {
    "base": lambda _, base, __: base,
    "with top": with_top,
    "sequential": lambda _, base, side: keras.Sequential(
        [keras.Input((side, side, 3)), base, layers.GlobalAveragePooling2D(), layers.Dense(3)]
    ),
    "inside": lambda _, base, side: inside(base, side),
    "flat": lambda _, base, __: keras.Model(base.input, layers.Dense(3)(layers.GlobalAveragePooling2D()(base.output))),
}


SUFFIXES = (".weights.h5", ".keras", ".h5")
CASES = [
    *(("mobilenet_v3_small", form, suffix) for form in FORMS for suffix in SUFFIXES),
    ("vgg16", "with top", ".h5"),
    ("resnet50", "with top", ".h5"),  # as the file that Keras publishes
    ("inceptionv3", "base", ".keras"),  # whose layers have numbers for names
    ("inceptionv3", "inside", ".h5"),
    ("inceptionv3", "with top", ".weights.h5"),
    ("convnext_tiny", "base", ".keras"),  # which has networks inside
]


@pytest.mark.parametrize(("name", "form", "suffix"), CASES)
def test_every_form_of_file_gives_back_the_weights_that_were_saved(tmp_path, name, form, suffix):
    side = 75 if name == "inceptionv3" else SIDE
    base = built(name, side)
    path = write(FORMS[form](name, base, side), tmp_path / f"saved{suffix}")
    network = built(name, side)
    assert load_weights(network, find_backbone(name, BackboneConfig()), str(path)).sha256 == digest(base)


def test_a_backbone_of_another_size_takes_the_file_and_names_it(tmp_path):
    saved = build_backbone("vgg16", BackboneConfig(weights=None, image_size=32), seed=1)
    path = write(saved.network, tmp_path / "vgg16.keras")
    loaded = build_backbone("vgg16", BackboneConfig(weights=str(path), image_size=40), seed=2)
    assert (loaded.weights.source, loaded.weights.sha256) == (str(path), saved.weights.sha256)


def test_a_subclassed_model_is_looked_into(tmp_path):
    class Classifier(keras.Model):
        def __init__(self, base):
            super().__init__()
            self.base, self.head = base, layers.Dense(3)

        def build(self, _):
            self.head.build((None, 512))

        def call(self, images):
            return self.head(keras.ops.mean(self.base(images), (1, 2)))

    base = vgg16()
    whole = Classifier(base)
    whole(np.zeros((1, SIDE, SIDE, 3)))
    path = write(whole, tmp_path / "saved.weights.h5")
    assert load_weights(vgg16(), VGG16, str(path)).sha256 == digest(base)


def test_published_efficientnet_weights_compute_what_keras_builds_for_them(tmp_path):
    spec = find_backbone("efficientnetb0", BackboneConfig())
    saved, network = built("efficientnetb0"), built("efficientnetb0")
    deviation = np.array([0.229, 0.224, 0.225], "f4")
    (normalization,) = (layer for layer in saved.layers if isinstance(layer, layers.Normalization))
    normalization.set_weights([np.array([0.485, 0.456, 0.406], "f4"), deviation, np.array(0)])
    load_weights(network, spec, str(write(saved, tmp_path / "b0.weights.h5")))
    image = np.random.default_rng(0).uniform(0, 255, (1, SIDE, SIDE, 3)).astype("f4")
    (mine,) = (layer for layer in network.layers if isinstance(layer, layers.Normalization))
    expected = (image / 255 - [0.485, 0.456, 0.406]) / deviation
    np.testing.assert_allclose(mine(image / 255), expected, rtol=1e-4)


def test_code_in_a_file_is_never_run(tmp_path):
    base, mark = vgg16(), tmp_path / "ran"
    source = f"lambda x: (open({str(mark)!r}, 'w'), x)[1]"
    images = keras.Input((SIDE, SIDE, 3))
    whole = keras.Model(images, base(layers.Lambda(eval(source))(images)))  # noqa: S307
    path = write(whole, tmp_path / "saved.keras")
    mark.unlink()
    assert load_weights(vgg16(), VGG16, str(path)).sha256 == digest(base)
    assert not mark.exists()


@pytest.fixture(scope="module")
def wrong_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong")
    write(keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Conv2D(64, 3)]), folder / "small.keras")
    write(keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.RandomFlip()]), folder / "none.weights.h5")
    vgg19 = built("vgg19")
    for suffix in (".weights.h5", ".keras", ".h5"):
        write(vgg19, folder / f"vgg19{suffix}")
    first, second = vgg16(), vgg16(name="another")
    images = keras.Input((SIDE, SIDE, 3))
    both = keras.Model(images, layers.Add()([layers.Rescaling(2)(first(images)), second(images)]))
    write(both, folder / "two.weights.h5")
    first.layers[1].kernel.assign(first.layers[1].kernel * np.nan)
    write(first, folder / "nan.h5")
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("small.keras", r"block1_conv2 \(3, 3, 64, 64\) \(64,\) is not there.*and 8 more"),
        ("vgg19.weights.h5", r"block3_conv4 \(3, 3, 256, 256\) is not in the network"),
        ("vgg19.keras", r"block3_conv4 \(3, 3, 256, 256\) is not in the network"),
        ("vgg19.h5", r"block3_conv4 \(3, 3, 256, 256\) is not in the network"),
        ("none.weights.h5", "it holds no layers with weights"),
        ("two.weights.h5", "it holds 2 such networks: save the one that is meant"),
        ("nan.h5", "block1_conv1 holds numbers that are not finite"),
    ],
)
def test_files_of_something_else_are_refused_and_say_what_differs(wrong_files, name, words):
    expected = rf"{name} does not hold weights of VGG16 .*\(26 tensors expected\): .*{words}.*Three ways"
    with pytest.raises(WeightsError, match=expected):
        load_weights(vgg16(), VGG16, str(wrong_files / name))


def test_a_deeper_network_of_the_same_names_is_another(tmp_path):
    path = write(built("resnet101"), tmp_path / "resnet101.weights.h5")
    with pytest.raises(WeightsError, match=r"conv4_block7_2_conv \(3, 3, 256, 256\) is not in the network"):
        load_weights(built("resnet50"), CATALOGUE["resnet50"], str(path))


def test_old_names_whose_order_means_nothing_are_refused(tmp_path):
    """Keras's ResNet50 of before 2019: two convolutions of one shape stand in another order there."""
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["conv1", "res2a_branch2a"]
        for name, shape in (("conv1", (7, 7, 3, 64)), ("res2a_branch2a", (1, 1, 64, 64))):
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0"]
            group[f"{name}/kernel:0"] = np.zeros(shape)
    with pytest.raises(WeightsError, match=r"conv1_conv \(7, 7, 3, 64\) \(64,\) is not there"):
        load_weights(built("resnet50"), CATALOGUE["resnet50"], str(path))


def written(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def archive(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"x")


def pickled(path: Path) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (path.with_name("exploded"),))

    path.write_bytes(pickle.dumps(Bomb()))


def preset(path: Path) -> None:
    for name in ("config.json", "model.weights.h5"):
        written(path / name, b"{}")


def tensors(path: Path) -> None:
    head = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + b"1234")


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        (
            "saved",
            lambda path: written(path / "saved_model.pb", b"x"),
            "is a SavedModel folder .*tf-keras",
        ),
        ("ckpt", lambda path: written(path / "checkpoint", b"x"), "is a checkpoint of TensorFlow"),
        ("model.ckpt.index", lambda path: written(path, b"x"), "is a checkpoint of TensorFlow"),
        ("preset", preset, "is a folder of a KerasHub preset.*write preset: .* in place of weights"),
        ("folder", Path.mkdir, "is a folder, and none that is known here.*name the file itself"),
        (
            "net.pth",
            lambda path: archive(path, "net/data.pkl", "net/data/0"),
            "is a file of PyTorch.*load it with",
        ),
        ("net.h5", pickled, "is a Python pickle, such as an old PyTorch"),
        ("net.safetensors", tensors, "is a safetensors file"),
        ("net.onnx", lambda path: written(path, b"\x08\x07"), "is an ONNX file.*read it with the package onnx"),
        ("net.tflite", lambda path: written(path, b"\x1c\0\0\0TFL3"), "is a LiteRT"),
        ("net.npz", lambda path: np.savez(path, a=np.zeros(2)), "is a file of NumPy arrays"),
        ("net.zip", lambda path: archive(path, "a/vgg16.h5"), "is an archive that Keras did not write.*unpack it"),
        ("net.keras", lambda path: archive(path, "config.json"), "is a .keras file whose numbers are in several parts"),
        (
            "lfs.h5",
            lambda path: written(path, b"version https://git-lfs"),
            "is a pointer of Git LFS",
        ),
        ("page.h5", lambda path: written(path, b"<!DOCTYPE html><html>"), "is a web page, not the file itself"),
        ("empty.h5", lambda path: written(path, b""), "is empty"),
        ("text.weights.h5", lambda path: written(path, b"not weights"), "is no file of Keras, or is damaged"),
        ("cut.keras", lambda path: written(path, b"PK\x03\x04 and no end"), "is a damaged archive"),
    ],
)
def test_files_that_keras_did_not_write_are_told_by_kind(tmp_path, name, make, words):
    make(tmp_path / name)
    with pytest.raises(WeightsError, match=rf"{name} \(weights of VGG16\) {words}"):
        load_weights(vgg16(), VGG16, str(tmp_path / name))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_file_that_ends_early_is_damaged(tmp_path, suffix, share):
    path = write(vgg16(), tmp_path / f"whole{suffix}")
    with path.open("r+b") as content:
        content.truncate(int(path.stat().st_size * share))
    with pytest.raises(WeightsError, match=r"damaged.*[Gg]et the file again"):
        load_weights(vgg16(), VGG16, str(path))


def test_a_missing_file_is_named():
    with pytest.raises(WeightsError, match=r"nowhere\.h5 of VGG16 does not exist\. Three ways"):
        load_weights(vgg16(), VGG16, "nowhere.h5")
