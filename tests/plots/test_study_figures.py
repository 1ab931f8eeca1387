import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from rendering import rendered, texts

from frostline.plots.study import history_figure, trials_figure


def trial(number: int, strategy: str, freeze_depth: int, value: float, state: str = "complete") -> dict[str, object]:
    return {
        "trial": number,
        "strategy": strategy,
        "init": "pretrained",
        "keep": 5,
        "freeze_depth": freeze_depth,
        "value": value,
        "state": state,
    }


TRIALS = pd.DataFrame(
    [
        trial(1, "end_of_convnet", 5, 0.70),
        trial(2, "fine_tune", 0, 0.65),
        trial(3, "retrain", 0, 0.55, "pruned"),
        trial(4, "partial_fine_tune", 3, float("nan"), "failed"),
        trial(5, "a strategy of tomorrow", 3, 0.75),
    ]
)


def labels(figure: Figure) -> set[str]:
    return set(figure.axes[0].get_legend_handles_labels()[1])


def test_trials_are_named_by_strategy_and_what_cannot_be_placed_is_counted():
    figure = trials_figure(TRIALS)
    expected = {"end_of_convnet", "fine_tune", "retrain", "a strategy of tomorrow", "pruned (best epoch)"}
    assert labels(figure) == expected
    assert figure.axes[0].get_title(loc="left") == "Freeze depth and score (1 failed not shown)"
    assert texts(figure) == {"0.750"}
    assert len(np.unique(rendered(figure).reshape(-1, 3), axis=0)) > 10


def test_strategies_at_one_depth_stand_side_by_side():
    points = np.concatenate(
        [part.get_offsets() for part in trials_figure(TRIALS).axes[0].collections if len(part.get_offsets())]
    )
    x = sorted(points[:, 0].tolist())
    assert len(set(x)) == len(x) == 4
    assert [round(value) for value in x] == [0, 0, 3, 5]


def test_history_rises_to_the_best_and_marks_what_failed():
    figure = history_figure(TRIALS)
    assert labels(figure) == {"best so far", "complete", "pruned", "failed"}
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0.70, 0.70, 0.70, 0.70, 0.75]
    assert texts(figure) == {"0.750"}


def test_the_order_of_rows_does_not_matter():
    assert np.array_equal(rendered(history_figure(TRIALS)), rendered(history_figure(TRIALS[::-1])))


@pytest.mark.parametrize("make", [trials_figure, history_figure])
@pytest.mark.parametrize("trials", [TRIALS[TRIALS["state"] == "failed"], TRIALS[:0]], ids=["all failed", "none"])
def test_a_study_without_a_score_has_a_figure_without_marks(make, trials):
    figure = make(trials)
    assert texts(figure) == set()
    assert rendered(figure).size
