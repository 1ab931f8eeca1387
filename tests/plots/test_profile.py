"""The profile's picture is drawn whatever could be measured."""

from io import BytesIO

import pytest
from matplotlib.figure import Figure

from frostline.config.schema import ProfileConfig
from frostline.plots.profile import profile_figure
from frostline.records.profile import BlockProbe, CellProfile, LayerShift, Profile
from frostline.regimes.guide import recommend
from frostline.statistics.interval import Interval

UNCERTAIN = Interval(value=0.3, low=0.2, high=0.5)


def cell(depth: int, *, shift: bool = True, probe: bool = True) -> CellProfile:
    row = recommend("small", "unclear")
    return CellProfile(
        images=100,
        per_class=50,
        measured=100,
        probed=100,
        size="small",
        similarity="unclear",
        shift=UNCERTAIN if shift else None,
        regime=row.regime,
        strategies=row.strategies,
        reason=row.reason,
        order=row.order,
        peak=depth if probe else None,
        cut=1 if probe else None,
        gain=UNCERTAIN if probe else None,
        layers=tuple(LayerShift(name=f"layer{n}", block=1 + n // 2, shift=UNCERTAIN) for n in range(2 * depth * shift)),
        blocks=tuple(
            BlockProbe(name=f"block{n}", block=n, balanced_accuracy=UNCERTAIN, log_evidence=0.1)
            for n in range(1, 1 + depth * probe)
        ),
    )


def profile(depth: int, reference: str | None = "a sample", **cells: CellProfile) -> Profile:
    return Profile(
        dataset="cells",
        backbone="vgg16",
        application="VGG16",
        image_size=96,
        reference=reference,
        similar_up_to=reference and 0.25,
        thresholds=ProfileConfig(),
        block_names=tuple(f"block{n}" for n in range(1, depth + 1)),
        cells=cells,
    )


def drawn(figure: Figure) -> list[str]:
    """All words in a figure, which must also be savable."""
    buffer = BytesIO()
    figure.savefig(buffer)
    assert buffer.getvalue().startswith(b"\x89PNG")
    labels = [label for axes in figure.axes for label in axes.get_legend_handles_labels()[1]]
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    return [*labels, *texts, *titles, *(axes.get_ylabel() for axes in figure.axes)]


def test_both_cells_are_named_with_their_shift_and_best_block() -> None:
    words = drawn(profile_figure(profile(5, small=cell(5), large=cell(5))))
    assert "cells as VGG16 sees it at 96 pixels" in words
    assert "median 0.3 [0.2, 0.5]" in words
    assert "large: best at block 5" in words
    assert {"similar", "different", "reference: a sample", "balanced accuracy"} <= set(words)


def test_what_could_not_be_measured_is_said() -> None:
    words = drawn(profile_figure(profile(5, None, small=cell(5, shift=False, probe=False))))
    assert "no reference statistics for these weights" in words
    assert "too few labelled images for a probe" in words


@pytest.mark.parametrize("depth", [1, 17, 51])
def test_networks_of_any_depth_fit(depth: int) -> None:
    figure = profile_figure(profile(depth, small=cell(depth)))
    assert "small: best at block" in " ".join(drawn(figure))
    assert figure.axes[0].get_xlim() == (0.4, depth + 0.6)


def test_a_folder_of_any_name_and_a_size_with_an_underscore_are_named() -> None:
    named = profile(5, _small=cell(5)).model_copy(update={"dataset": "$a$b\n" + "w" * 240})
    words = drawn(profile_figure(named))
    assert "$a$b\\n" + "w" * 20 + "…" + "w" * 13 + " as VGG16 sees it at 96 pixels" in words
    assert "\u200b_small: best at block 5" in words
