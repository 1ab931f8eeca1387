"""Cells: draws of folds whose answers line up, and what they are found again by."""

import numpy as np
import pytest

from frostline.training.cell import make_cell


@pytest.fixture
def drawn(packed_cells, train_config):
    """`drawn(**train)`: twenty-four images in three folds, drawn three times, unless `train` says otherwise."""

    def make(seed=20, **train):
        return make_cell(packed_cells(32), 12, train_config.model_copy(update=train), seed=seed)

    return make


def test_answers_of_every_draw_line_up_by_row(drawn):
    cell = drawn()
    assert len(cell.repeats) == 3
    for draw, folds in enumerate(cell.repeats):
        told = np.full(len(cell.validation_rows), -1)
        for places, (training, held) in zip(cell.places(draw), folds, strict=True):
            told[places] = held
            assert sorted([*training, *held]) == cell.all_rows.tolist()
        np.testing.assert_array_equal(told, cell.validation_rows)
    assert cell.places(0)[1].tolist() == list(range(8, 16))


def test_the_first_draw_is_what_one_draw_is(drawn):
    three, one = drawn(), drawn(repeats=1)
    for fold, same in zip(three.folds, one.folds, strict=True):
        np.testing.assert_array_equal(np.concatenate(fold), np.concatenate(same))
    assert three.training_images == one.training_images == 2 * 24


def test_a_cell_is_found_again_by_all_its_draws(drawn):
    cells = [drawn(), drawn(repeats=2), drawn(repeats=1), drawn(folds=4), drawn(folds_up_to=0), drawn(seed=21)]
    assert len({cell.folds_fingerprint for cell in cells}) == len(cells)
    assert drawn().folds_fingerprint == cells[0].folds_fingerprint == drawn(validation_fraction=0.5).folds_fingerprint


def test_it_knows_which_folds_its_first_validation_images_are_of(drawn):
    cell = drawn(folds=5, folds_up_to=1000)
    seen = 0
    for number, (_, held) in enumerate(cell.folds, start=1):
        seen += len(held)
        assert cell.folds_of(seen) == number


@pytest.mark.parametrize(
    ("train", "scheme"),
    [
        ({}, "3-fold, 3 times"),
        ({"repeats": 1}, "3-fold"),
        ({"repeats_up_to": 23}, "3-fold"),
        ({"folds_up_to": 23}, "hold-out"),
    ],
)
def test_how_it_is_validated_is_said_in_words(drawn, train, scheme):
    assert drawn(**train).scheme == scheme


def test_a_holdout_has_one_draw_and_its_rows_alone_validate(drawn):
    cell = drawn(folds_up_to=0, validation_fraction=0.25)
    [[(training, held)]] = cell.repeats
    assert (len(training), len(held)) == (18, 6)
    np.testing.assert_array_equal(cell.validation_rows, held)
    [places] = cell.places(0)
    assert places.tolist() == list(range(6))
