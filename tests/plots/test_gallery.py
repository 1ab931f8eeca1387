import numpy as np
from matplotlib.figure import Figure
from rendering import rendered

from frostline.plots.gallery import captions, gallery_figure, heat_figure


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


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


LABELS = np.array([0, 1, 1, 0])
PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.95, 0.05], [0.8, 0.2]], dtype=np.float32)
CLASSES = ("intact", "cracked")


def test_captions_say_what_it_is_where_that_differs():
    assert captions(LABELS, PROBABILITIES, CLASSES, np.array([2, 0])) == ["intact 95%\nis cracked", "intact 90%"]


def test_captions_are_short_and_hide_nothing():
    lines = captions(LABELS, PROBABILITIES, ("w" * 240, "two\nlines"), np.array([2]))
    assert lines == ["w" * 16 + "…" + "w" * 7 + " 95%\nis two\\nlines"]
