"""The transfer-learning guide as data: two questions, four regimes, what to try first in each, and why."""

from dataclasses import dataclass

from frostline.config.schema import ProfileConfig
from frostline.config.types import GUIDE, Similarity, SizeClass, StrategyName
from frostline.statistics.interval import Interval

__all__ = ["Recommendation", "classify_similarity", "classify_size", "recommend"]

_STRATEGIES: dict[tuple[SizeClass, Similarity], tuple[StrategyName, ...]] = {
    ("small", "similar"): ("end_of_convnet",),
    ("small", "different"): ("start_of_convnet",),
    ("small", "unclear"): ("end_of_convnet", "start_of_convnet"),
    ("large", "similar"): ("fine_tune",),
    ("large", "different"): ("fine_tune", "retrain"),
    ("large", "unclear"): ("fine_tune", "retrain"),
}

_REASONS: dict[tuple[SizeClass, Similarity], str] = {
    ("small", "similar"): "The images are few but look like what the network has learned from, so its features fit as "
    "they are: keep every block frozen and train a new head.",
    ("small", "different"): "The images are few and unlike what the network has learned from, so only its early, "
    "general features fit: cut the later blocks off, freeze the rest and train a new head.",
    ("small", "unclear"): "The images are few, and how alike they are to what the network has learned from is not "
    "clear: try a new head on all blocks, and one on the early blocks alone.",
    ("large", "similar"): "There are enough images to train on without overfitting, and the network starts near its "
    "goal: train every block from the pretrained weights.",
    ("large", "different"): "There are enough images to teach the network what it has never seen: train every block, "
    "from the pretrained weights first, and from random ones to compare.",
    ("large", "unclear"): "There are enough images to train every block; how alike they are to what the network has "
    "learned from is not clear, so try pretrained weights first and random ones to compare.",
}

_EARLIER = (
    "The images are few and look like what the network has learned from, which speaks for a new head on all blocks. "
    "But a probe reads their classes clearly better before the last blocks, which then serve another task: try a head "
    "on the early blocks first, and one on all."
)
_LATER = (
    "The images are few and unlike what the network has learned from, which speaks for cutting the later blocks off. "
    "But a probe reads their classes clearly better after the last one: try a new head on all blocks first, and one on "
    "the early blocks."
)


@dataclass(frozen=True)
class Recommendation:
    """A regime (`unclear` similarity included, as in `small-unclear`), the guide's strategies for it, and the reason.

    `order` holds all four strategies, the recommended ones first.
    """

    regime: str
    strategies: tuple[StrategyName, ...]
    reason: str

    @property
    def order(self) -> tuple[StrategyName, ...]:
        """All of the guide's strategies, the recommended ones first."""
        return (*self.strategies, *(name for name in GUIDE if name not in self.strategies))


def classify_size(per_class: float, in_all: int, config: ProfileConfig) -> SizeClass:
    """`large` from either bound on: images in the median class, or images in all."""
    return "large" if per_class >= config.large_per_class or in_all >= config.large_in_all else "small"


def classify_similarity(shift: Interval | None, similar_up_to: float) -> Similarity:
    """By the side of `similar_up_to` that the shift's interval lies on; `unclear` across it, or without a shift.

    >>> across = Interval(value=0.3, low=0.2, high=0.4)
    >>> classify_similarity(across, similar_up_to=0.25)
    'unclear'
    """
    if shift is None or shift.low <= similar_up_to < shift.high:
        return "unclear"
    return "similar" if shift.high <= similar_up_to else "different"


def recommend(size: SizeClass, similarity: Similarity, gain: Interval | None = None) -> Recommendation:
    """The guide's row for a regime; both neighbours where similarity is unclear, or where the probe contradicts it.

    `gain` is by how much the probe reads the classes better where `start_of_convnet` cuts than after the last block. If
    its whole interval speaks against the guide's row for a small cell, the probe's choice is first, the guide's second.
    Where similarity is unclear it says which of the neighbours is first.

    >>> recommend("small", "different").strategies
    ('start_of_convnet',)
    >>> recommend("small", "similar", Interval(value=0.1, low=0.02, high=0.2)).strategies
    ('start_of_convnet', 'end_of_convnet')
    """
    key = (size, similarity)
    strategies, reason = _STRATEGIES[key], _REASONS[key]
    if size == "small" and gain:
        if similarity == "similar" and gain.low > 0:
            strategies, reason = ("start_of_convnet", "end_of_convnet"), _EARLIER
        if similarity == "different" and gain.high < 0:
            strategies, reason = ("end_of_convnet", "start_of_convnet"), _LATER
        if similarity == "unclear" and gain.value > 0:
            strategies = ("start_of_convnet", "end_of_convnet")
    return Recommendation(f"{size}-{similarity}", strategies, reason)
