"""The views are the eight symmetries of a square."""

import numpy as np

from frostline.data.views import VIEW_SETS, VIEWS

IMAGES = np.random.default_rng(0).integers(0, 256, size=(2, 4, 4, 3), dtype=np.uint8)


def test_every_view_keeps_shape_and_pixels_and_no_two_agree() -> None:
    results = {name: view(IMAGES) for name, view in VIEWS.items()}
    for result in results.values():
        assert result.shape == IMAGES.shape
        np.testing.assert_array_equal(np.sort(result, axis=None), np.sort(IMAGES, axis=None))
    assert len({result.tobytes() for result in results.values()}) == len(VIEWS) == 8


def test_views_are_closed_under_composition() -> None:
    known = {np.ascontiguousarray(view(IMAGES)).tobytes() for view in VIEWS.values()}
    for first in VIEWS.values():
        for second in VIEWS.values():
            assert np.ascontiguousarray(second(first(IMAGES))).tobytes() in known


def test_identity_comes_first_in_every_set() -> None:
    assert all(views[0] == "identity" and set(views) <= set(VIEWS) for views in VIEW_SETS.values())
