import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from rendering import rendered, texts

from frostline.plots.depth import groups_figure, heads_figure, trials_figure
from frostline.plots.study import history_figure, study_figures
from frostline.plots.style import PALETTE
from frostline.records.train_record import GroupResult


def trial(number: int, group: str, blocks: str, freeze_depth: int, value: float, state: str = "complete") -> dict:
    return {
        "trial": number,
        "group": group,
        "blocks": blocks,
        "members": "",
        "freeze_depth": freeze_depth,
        "value": value,
        "standard_error": 0.02 if state == "complete" else None,
        "state": state,
    }


TRIALS = pd.DataFrame(
    [
        trial(1, "heads", "5", 5, 0.70),
        trial(2, "heads", "4,5", 5, 0.72),
        trial(3, "heads", "5", 5, 0.71),
        trial(4, "all blocks", "5", 0, 0.65),
        trial(5, "random weights", "5", 0, 0.55, "pruned"),
        trial(6, "some blocks", "5", 3, float("nan"), "failed"),
        trial(7, "last block", "5", 4, 0.75),
    ]
)
GROUPS = (
    GroupResult(group="heads", trials=3, score=0.72, standard_error=0.02, decided=True, minutes=None),
    GroupResult(group="all blocks", trials=1, score=0.65, standard_error=0.02, decided=True, minutes=None),
    GroupResult(group="some blocks", trials=0, score=None, standard_error=None, decided=False, minutes=12.4),
    GroupResult(group="random weights", trials=1, score=None, standard_error=None, decided=False, minutes=0.2),
)


def labels(figure: Figure) -> list[str]:
    return figure.axes[0].get_legend_handles_labels()[1]


def points(figure: Figure) -> np.ndarray:
    marks = [part.get_offsets() for part in figure.axes[0].collections if hasattr(part, "get_sizes")]
    return np.concatenate([each for each in marks if len(each)])


def test_trials_are_named_by_group_and_what_cannot_be_placed_is_counted():
    figure = trials_figure(TRIALS)
    assert labels(figure) == ["heads", "last block", "all blocks", "random weights", "ended early (on some images)"]
    assert figure.axes[0].get_title(loc="left") == "Freeze depth and score (1 failed not shown)"
    assert texts(figure) == {"0.750"}
    assert len(np.unique(rendered(figure).reshape(-1, 3), axis=0)) > 10


def test_trials_at_one_depth_stand_side_by_side_heads_on_the_left():
    many = pd.DataFrame([trial(8 + number, "heads", "5", 5, 0.7) for number in range(40)])
    more = pd.DataFrame([trial(48 + number, "last block", "6", 5, 0.7) for number in range(2)])
    found = points(trials_figure(pd.concat([TRIALS, many, more], ignore_index=True)))
    x = sorted(found[:, 0].tolist())
    assert len(set(x)) == len(x) == 6 + 42
    assert [round(value) for value in x[:3]] == [0, 0, 4]
    assert sum(4.6 < value <= 5 for value in x) == 43
    assert sum(5 < value < 5.4 for value in x) == 2


def test_the_best_of_each_group_is_shown_hollow_and_in_words_where_it_is_not_decided():
    figure = groups_figure(GROUPS, TRIALS)
    assert texts(figure) == {
        "0.720 ± 0.020",
        "0.650 ± 0.020",
        "not decided within this budget: about 12 minutes more",
        "0.550 on some images, when it ended\nnot decided within this budget: about 1 minute more",
    }
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["heads, 3 trials", "all blocks, 1 trial", "some blocks, 0 trials", "random weights, 1 trial"]
    hollow = [bar.lines[0].get_markerfacecolor() == "white" for bar in figure.axes[0].containers]
    assert hollow == [False, False, True, True]
    assert rendered(figure).size


def test_heads_are_a_map_of_the_blocks_that_they_read():
    figure = heads_figure(TRIALS)
    assert texts(figure) == {"0.710", "0.720"}
    (mesh,) = (part for part in figure.axes[0].collections if part.get_array() is not None)
    scores = np.ma.filled(mesh.get_array(), np.nan).reshape(5, 5)
    assert (scores[4, 0], scores[4, 1], np.isfinite(scores).sum()) == (0.71, 0.72, 2)
    best = figure.axes[0].patches[0]
    assert (best.get_x(), best.get_y()) == (1.5, 4.5)
    ensemble = pd.DataFrame([trial(8, "heads", "1,3,5", 5, 0.9) | {"members": "0.5: 1,3 both; 0.5: 5 average"}])
    assert texts(heads_figure(pd.concat([TRIALS, ensemble], ignore_index=True))) == {"0.710", "0.720"}
    deep = pd.DataFrame([trial(n, "heads", ",".join(map(str, range(1, n + 1))), n, 0.5 + n / 200) for n in (1, 51)])
    assert texts(heads_figure(deep)) == set()
    assert rendered(heads_figure(deep)).size


def test_history_rises_to_the_best_and_marks_what_failed():
    figure = history_figure(TRIALS)
    assert set(labels(figure)) == {
        *("best so far", "failed", "ended early (on some images)"),
        *("heads", "last block", "all blocks", "random weights"),
    }
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0.70, *[0.72] * 5, 0.75]
    assert texts(figure) == {"0.750"}


def test_the_order_of_rows_does_not_matter():
    for make in (history_figure, trials_figure, heads_figure):
        assert np.array_equal(rendered(make(TRIALS)), rendered(make(TRIALS[::-1])))


def test_what_was_ended_early_is_hollow():
    marks = [part for part in trials_figure(TRIALS).axes[0].collections if hasattr(part, "get_sizes")]
    faces = {to_rgba(part.get_edgecolor()[0])[:3]: tuple(part.get_facecolor()[0])[:3] for part in marks[:4]}
    for name, filled in (("black", False), ("vermilion", True)):
        edge = to_rgba(PALETTE[name])[:3]
        assert (faces[edge] == edge) == filled


def test_a_head_that_wins_has_no_learning_curve():
    metrics = {"validation_loss": 0.5, "validation_balanced_accuracy": 0.7}
    pictures = {"groups.png", "trials.png", "heads.png", "history.png", "importance.png"}
    assert set(study_figures(TRIALS, {}, [metrics], GROUPS)) == pictures
    assert set(study_figures(TRIALS, {"keep": 1.0}, [metrics | {"train_loss": 0.4}], GROUPS)) == {
        *pictures,
        "learning.png",
    }


@pytest.mark.parametrize("make", [trials_figure, history_figure, heads_figure])
@pytest.mark.parametrize("trials", [TRIALS[TRIALS["state"] == "failed"], TRIALS[:0]], ids=["all failed", "none"])
def test_a_study_without_a_score_has_a_figure_without_marks(make, trials):
    figure = make(trials)
    assert texts(figure) <= {"no head was completed"}
    assert rendered(figure).size
