import numpy as np
import pandas as pd

from frostline.evaluation.examples import most_confident, predictions

LABELS = np.array([0, 1, 1, 0])
PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.95, 0.05], [0.8, 0.2]], dtype=np.float32)
CLASSES = ("intact", "cracked")


def test_the_most_certain_come_first():
    assert most_confident(LABELS, PROBABILITIES, right=False).tolist() == [2, 1]
    assert most_confident(LABELS, PROBABILITIES, right=True).tolist() == [0, 3]


def test_predictions_are_a_row_per_image():
    index = pd.DataFrame({"image": ["a", "b", "c", "d"], "group": ["a", "b", "b", "d"]}, index=[5, 6, 9, 11])
    frame = predictions(index, LABELS, PROBABILITIES, CLASSES)
    columns = ["image", "group", "actual", "predicted", "probability_intact", "probability_cracked"]
    assert frame.columns.tolist() == columns
    assert frame.iloc[2].tolist()[:4] == ["c", "b", "cracked", "intact"]
    assert frame.notna().all(axis=None)
