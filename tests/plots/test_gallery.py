from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from frostline.plots.evaluation import reliability_figure, threshold_figure
from frostline.plots.gallery import gallery_figure, heat_figure


def rendered(figure: Figure) -> np.ndarray:
    file = BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def entries(figure: Figure, axes: int) -> list[str]:
    return figure.axes[axes].get_legend_handles_labels()[1]


def answers(classes: int, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(classes)
    labels = np.arange(count) % classes
    raw = rng.random((count, classes)) + 0.5 * np.eye(classes)[labels]
    return labels, raw / raw.sum(axis=1, keepdims=True)


def test_a_gallery_shows_each_image_under_its_caption():
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    figure = gallery_figure(images, [f"no {n}" for n in range(5)], "Mistakes")
    assert titles(figure) == [f"no {n}" for n in range(5)]
    assert len(figure.axes) == 8
    assert [len(axes.images) for axes in figure.axes] == [1] * 5 + [0] * 3


def test_a_model_without_mistakes_has_an_empty_gallery():
    figure = gallery_figure(np.zeros((0, 8, 8, 3), dtype=np.uint8), [], "Mistakes")
    assert rendered(figure).size
    assert [text.get_text() for text in figure.texts if text.get_text() == "none"]


def test_heat_lies_over_its_own_image():
    images = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    heat = np.stack([np.eye(4, dtype=np.float32)] * 3)
    figure = heat_figure(images, heat, ["a", "b", "c"], np.array([False, True, True]), "Where it looked")
    assert titles(figure) == ["a", "b", "c"]
    assert [len(axes.images) for axes in figure.axes] == [1, 2, 1, 2, 1, 2, 0, 0]
    assert rendered(figure).size
    assert rendered(heat_figure(images[:0], heat[:0], [], np.zeros(0, dtype=bool), "none")).size


def test_two_classes_have_one_roc_curve_and_two_precision_curves():
    labels, probabilities = answers(2)
    figure = threshold_figure(labels, probabilities, ("dark", "light"))
    assert len(entries(figure, 0)) == 1
    assert [entry.partition(":")[0] for entry in sorted(entries(figure, 1))] == ["dark", "light"]
    assert rendered(figure).size


def test_of_many_classes_the_worst_are_drawn():
    labels, probabilities = answers(12, 240)
    figure = threshold_figure(labels, probabilities, [f"class {n}" for n in range(12)])
    assert len(entries(figure, 0)) == 7


def test_a_class_without_images_is_left_out():
    labels, probabilities = answers(3)
    figure = threshold_figure(np.where(labels == 2, 1, labels), probabilities, ("a", "b", "c"))
    assert {entry.partition(":")[0] for entry in entries(figure, 0)} == {"a", "b"}


@pytest.mark.parametrize("classes", [2, 5])
def test_reliability_names_both_errors(classes):
    labels, probabilities = answers(classes)
    figure = reliability_figure(labels, probabilities, probabilities)
    before, after = entries(figure, 0)
    assert before.startswith("as trained: error 0.")
    assert after.startswith("calibrated: error 0.")
    assert rendered(figure).size


def test_the_curves_of_every_class_are_in_the_legends_whatever_it_is_called():
    labels, probabilities = answers(4)
    figure = threshold_figure(labels, probabilities, ("_x", "$a$b$", "w" * 240, "_y"))
    assert rendered(figure).size
    for axes in figure.axes:
        shown = [text.get_text() for text in axes.get_legend().get_texts()]
        assert {entry.rpartition(":")[0].lstrip("\u200b") for entry in shown} == {
            "_x",
            "$a$b$",
            "w" * 16 + "…" + "w" * 7,
            "_y",
        }
