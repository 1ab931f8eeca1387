"""Whether pictures are still like the test images, as far as a network's answers to both show it."""

from collections.abc import Mapping
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from frostline.config.frozen import Frozen
from frostline.evaluation.answered import Answered
from frostline.evaluation.intervals import exact_accuracy
from frostline.statistics.interval import Interval
from frostline.statistics.kolmogorov import kolmogorov_smirnov
from frostline.statistics.several import holm
from frostline.statistics.shares import distance_of_shares, likeliest_ratios, p_of_equal_shares
from frostline.text.phrases import counted, listed

__all__ = ["FEWEST", "LEVEL", "Drift", "Quantity", "Share", "Verdict", "compare"]

FEWEST = 50
"""Of fewer pictures nothing is said."""
LEVEL = 0.01
"""How often drift may be seen by chance alone."""
_SEED = 20
_SHARES, _UNKNOWN = "shares of classes", "unknown pictures"
_DECIMALS = 3
"""Of a probability. Two runs of one network differ by less, and many probabilities are nearly 1."""

Verdict = Literal["too few pictures", "no drift", "other shares of classes", "other pictures"]


class Quantity(Frozen):
    """How far one quantity of the answers lies from that of the test images, in [0, 1].

    `p` is raised for the number of quantities. `p_beyond_shares` is the same once the test images are weighed so that
    their classes have the shares that fit the pictures best; None where that was not asked, or means nothing.
    """

    name: str
    distance: Interval
    p: float
    p_beyond_shares: float | None = None


class Share(Frozen):
    """Which share of the test images, and of the pictures, got the label `name`."""

    name: str
    reference: Interval
    pictures: Interval


class Drift(Frozen):
    """What `compare` found. `because` names the quantities that the verdict rests on."""

    verdict: Verdict
    pictures: int
    reference: int
    level: float
    because: tuple[str, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    shares: tuple[Share, ...] = ()

    @property
    def seen(self) -> bool:
        """Whether there is drift."""
        return bool(self.because)

    @property
    def words(self) -> str:
        """The verdict as a sentence."""
        names = listed(self.because)
        return {
            "too few pictures": f"{counted(self.pictures, 'picture')} got a label: {FEWEST} at least are needed.",
            "no drift": f"No drift is seen in {self.pictures} pictures.",
            "other shares of classes": f"Drift: other shares of classes would explain what is seen ({names}).",
            "other pictures": f"Drift: other pictures than the test images ({names}).",
        }[self.verdict]


def compare(reference: Answered, pictures: Answered, level: float = LEVEL) -> Drift:
    """Compare answers to `pictures` with those to test images, `reference`, of the same network.

    There is drift if any quantity of the answers differs by more than chance would make any of them differ, `level` of
    the time (Rabanser, Guennemann and Lipton 2019, arXiv 1810.11953): the shares of the labels, each class's
    probability, strangeness, and how many pictures are unknown. It is one of the pictures if other shares of classes do
    not explain it: test images that are weighed to have the likeliest such shares still differ.
    """
    drift = partial(Drift, pictures=len(pictures), reference=len(reference), level=level)
    if len(pictures) < FEWEST:
        return drift(verdict="too few pictures")
    before, now = _counts(reference), _counts(pictures)
    found = {_SHARES: (distance_of_shares(before, now, _SEED), p_of_equal_shares(before, now, _SEED))}
    found |= _compared(reference, np.ones(len(reference)), pictures)
    raised, beyond = _raised(found), {}
    because = _least(raised, level)
    verdict: Verdict = "no drift"
    if because:
        ratios = likeliest_ratios(reference.probabilities, pictures.probabilities)
        beyond = _raised(_compared(reference, reference.probabilities @ ratios, pictures))
        others = _least(beyond, level)
        verdict, because = ("other pictures", others) if others else ("other shares of classes", because)
    quantities = tuple(
        Quantity(name=name, distance=distance, p=raised[name], p_beyond_shares=beyond.get(name))
        for name, (distance, _) in found.items()
    )
    return drift(verdict=verdict, because=because, quantities=quantities, shares=_shares(reference, pictures))


def _raised(found: Mapping[str, tuple[Interval, float]]) -> dict[str, float]:
    """The p-values of `found`, raised for how many they are."""
    return dict(zip(found, holm([p for _, p in found.values()]), strict=True))


def _least(raised: Mapping[str, float], level: float) -> tuple[str, ...]:
    return tuple(name for name, p in raised.items() if p <= level)


def _compared(
    reference: Answered, weights: NDArray[np.float64], pictures: Answered
) -> dict[str, tuple[Interval, float]]:
    """Distance and p-value of what each picture is answered with, by its name; `weights` [N] are the reference's."""
    shown = 1 if len(reference.classes) == 2 else len(reference.classes)  # of two, one says what the other does
    found = {
        f"probability of {reference.classes[number]}": kolmogorov_smirnov(
            reference.probabilities[:, number].round(_DECIMALS),
            weights,
            pictures.probabilities[:, number].round(_DECIMALS),
        )
        for number in range(shown)
    }
    if (before := reference.strangeness) is not None and (now := pictures.strangeness) is not None:
        found["strangeness"] = kolmogorov_smirnov(before, weights, now)
        found[_UNKNOWN] = _more_unknown(before > 1, weights, now > 1)
    return found


def _more_unknown(
    reference: NDArray[np.bool_], weights: NDArray[np.float64], pictures: NDArray[np.bool_]
) -> tuple[Interval, float]:
    """Fisher's exact test, one-sided: few of the test images are unknown, and fewer still would be no drift."""
    from scipy.stats import fisher_exact

    images = weights.sum() ** 2 / (weights**2).sum()
    share = float(weights[reference].sum() / weights.sum())
    before = np.array([round(images * share), round(images * (1 - share))])
    now = np.array([pictures.sum(), (~pictures).sum()])
    p = fisher_exact([now, before], alternative="greater").pvalue
    return distance_of_shares(before, now, _SEED), float(p)


def _counts(answers: Answered) -> NDArray[np.int64]:
    return np.bincount(answers.named, minlength=len(answers.classes)).astype(np.int64)


def _shares(reference: Answered, pictures: Answered) -> tuple[Share, ...]:
    def share(answers: Answered, number: int) -> Interval:
        return exact_accuracy(answers.named == number, np.arange(len(answers)))

    return tuple(
        Share(name=name, reference=share(reference, number), pictures=share(pictures, number))
        for number, name in enumerate(reference.classes)
    )
