"""What is said of a trial by the images that judged it."""

import numpy as np
import pandas as pd
import pytest
from made_trials import made

from frostline.data.packed import PackedImages
from frostline.search.judgement import Judgement
from frostline.statistics.judged import ALIKE
from frostline.statistics.standard_error import standard_error
from frostline.training.cell import Cell
from frostline.training.trial import Validation

IMAGES, JUDGED = 40, 10
LABELS, ROWS = np.arange(IMAGES) % 2, np.arange(IMAGES)
FOLDS = tuple((np.setdiff1d(ROWS, held), held) for held in np.split(ROWS, IMAGES // JUDGED))
PACKED = PackedImages(
    np.empty((IMAGES, 0)), LABELS, pd.DataFrame({"group": ROWS.astype(str)}), ("a", "b"), 0, "stretch", ""
)
CELL = Cell(PACKED, ROWS, (FOLDS,))


def validation(certainty: np.ndarray) -> Validation:
    right = (certainty > 0.5).astype(np.float32)
    return Validation(0.0, 0.0, 1, 1.0, right, certainty.astype(np.float32), ())


def test_judged_by_all_images_it_is_what_they_say_whoever_was_before() -> None:
    certainty = np.random.default_rng(0).random(IMAGES)
    alone, after = (Judgement.of(validation(certainty), others, CELL) for others in ([], [made(1, correct=ROWS < 0)]))
    assert alone == after
    right = certainty > 0.5
    assert alone.score == pytest.approx(np.mean([right[name == LABELS].mean() for name in (0, 1)]))
    assert alone.standard_error == pytest.approx(standard_error(right, LABELS, ROWS))
    assert alone.brier == pytest.approx(np.mean([((1 - certainty)[name == LABELS] ** 2).mean() for name in (0, 1)]))


def test_judged_by_some_it_is_what_others_are_and_a_part_of_what_it_does_better_there() -> None:
    """The others are right on half of all images, and on half of those that judged it, where it is right on all."""
    others = [made(number, correct=ROWS // 2 % 2 == 0) for number in (1, 2)]
    found = Judgement.of(validation(np.ones(JUDGED)), others, CELL)
    there = np.mean([(ROWS // 2 % 2 == 0)[:JUDGED][name == LABELS[:JUDGED]].mean() for name in (0, 1)])
    expected = 0.5 + JUDGED / (JUDGED + ALIKE) * (1 - there)
    assert found.score == pytest.approx(expected)
    assert found.brier == pytest.approx(1 - expected)
    assert found.standard_error > 0.05
