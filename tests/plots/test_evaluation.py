import numpy as np
import pytest
from matplotlib.figure import Figure
from rendering import rendered, texts

from frostline.plots.evaluation import confusion_figure, reliability_figure, threshold_figure


def entries(figure: Figure, axes: int) -> list[str]:
    return figure.axes[axes].get_legend_handles_labels()[1]


def answers(classes: int, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(classes)
    labels = np.arange(count) % classes
    raw = rng.random((count, classes)) + 0.5 * np.eye(classes)[labels]
    return labels, raw / raw.sum(axis=1, keepdims=True)


def test_confusion_shows_counts_and_shares_of_the_actual_class():
    figure = confusion_figure([[3, 1], [0, 0]], ["intact", "cracked"])
    assert texts(figure) == {"3\n75%", "1\n25%", "0\n0%"}
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["intact", "cracked"]
    assert figure.axes[0].get_ylabel() == "actual"


def test_many_classes_are_shaded_without_numbers():
    figure = confusion_figure(np.eye(40, dtype=int), [f"class {number}" for number in range(40)])
    assert texts(figure) == set()
    assert rendered(figure).shape[0] < 2000


@pytest.mark.parametrize("count", [2, 3, 20])
def test_long_names_of_any_script_do_not_squeeze_the_matrix(count):
    names = [f"{number}漢$العربية$_x\n" + "w" * 240 for number in range(count)]
    figure = confusion_figure(np.eye(count, dtype=int), names)
    figure.draw_without_rendering()
    place = figure.axes[0].get_position()
    assert min(place.width, place.height) > 0.35
    assert len({tick.get_text() for tick in figure.axes[0].get_yticklabels()}) == count
    frame = figure.get_tightbbox()
    assert frame.x0 >= -0.05
    assert frame.y0 >= -0.05


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
