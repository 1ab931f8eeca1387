"""The gate: whether a challenger is better than the champion, on the same test images, by more than luck."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.config.schema import PromotionConfig
from frostline.data.arrays import Labels
from frostline.errors import RegistryError
from frostline.evaluation.intervals import paired_gains, randomisation_test
from frostline.evaluation.metrics import HIGHER_IS_BETTER, measure

__all__ = ["Check", "Evidence", "Verdict", "judge"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a version answered to N test images: probabilities [N, K]; the seconds that one image takes it.

    `unreadable` counts the test images that it could not answer to, which are not among the N.
    """

    probabilities: NDArray[np.float64]
    seconds: float
    unreadable: int = 0


@dataclass(frozen=True)
class Check:
    """One condition of promotion, whether it holds, why in a sentence, and the numbers that say so."""

    name: str
    passed: bool
    reason: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """All checks on so many test images."""

    images: int
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(check.passed for check in self.checks)

    @property
    def numbers(self) -> dict[str, float]:
        """Those of all checks."""
        return {"images": self.images} | {name: value for check in self.checks for name, value in check.numbers.items()}


def judge(
    labels: Labels,
    groups: NDArray[Any],
    challenger: Evidence,
    champion: Evidence | None,
    config: PromotionConfig,
    seed: int,
) -> Verdict:
    """Judge by `labels` [N] of test images in `groups` [N] of near duplicates; without a champion, by floors alone.

    `config.metric` decides, and no other: a challenger must pass two one-sided tests of it at `config.level`, a paired
    randomisation test and a bootstrap of the difference. The first holds the level on any number of images; the second
    says by how much it is better, and also holds where one of the two answers is the more erratic one.
    """
    checks = [_floor(labels, challenger, metric, floor) for metric, floor in config.floors.items()]
    if champion is not None:
        checks += [
            *_metric(labels, groups, challenger, champion, config, seed),
            _calibration(labels, challenger, champion, config.calibration_error),
            _latency(challenger, champion, config.latency),
        ]
    return Verdict(len(labels), (_readable(challenger, champion), *checks))


def _readable(challenger: Evidence, champion: Evidence | None) -> Check:
    """All were judged by images that both can read, which must not favour the one that reads fewer."""
    new, old = challenger.unreadable, champion.unreadable if champion else 0
    against, numbers = (f" against {old}", {"champion_unreadable": float(old)}) if champion else ("", {})
    return Check(
        "readable images",
        new <= old,
        f"{new} cannot be read{against}; at most {old}",
        numbers | {"challenger_unreadable": float(new)},
    )


def _floor(labels: Labels, challenger: Evidence, metric: str, floor: float) -> Check:
    value = measure(metric, labels, challenger.probabilities)
    passed, bound = (value >= floor, "at least") if metric in HIGHER_IS_BETTER else (value <= floor, "at most")
    found = f"{value:.3f}" if np.isfinite(value) else "not defined on these images"
    return Check(f"floor of {metric}", passed, f"{found}; {bound} {floor:g}", {f"challenger_{metric}": value})


def _metric(
    labels: Labels,
    groups: NDArray[Any],
    challenger: Evidence,
    champion: Evidence,
    config: PromotionConfig,
    seed: int,
) -> tuple[Check, Check]:
    metric, probabilities = config.metric, (challenger.probabilities, champion.probabilities)
    new, old = (measure(metric, labels, each) for each in probabilities)
    if not np.isfinite([new, old]).all():
        raise RegistryError(
            f"promotion.metric in params.yaml is {metric}, which these {len(labels)} test images do not define: they "
            "show one class alone. Choose another metric, or prepare test images of every class."
        )
    p = randomisation_test(labels, *probabilities, groups, metric, seed)
    low = float(np.nanquantile(paired_gains(labels, *probabilities, groups, metric, seed), config.level))
    right, was_right = (each.argmax(axis=1) == labels for each in probabilities)
    gained, lost = int((right & ~was_right).sum()), int((was_right & ~right).sum())
    return (
        Check(
            f"{metric} (randomisation)",
            p <= config.level,
            f"{new:.3f} against {old:.3f}, {gained} images gained and {lost} lost: p = {p:.3g}; at most "
            f"{config.level:g}",
            {
                f"challenger_{metric}": new,
                f"champion_{metric}": old,
                "challenger_accuracy": float(right.mean()),
                "champion_accuracy": float(was_right.mean()),
                "gained": gained,
                "lost": lost,
                "randomisation_p": p,
            },
        ),
        Check(
            f"{metric} (bootstrap)",
            low > 0,
            f"better by {low:+.3f} or more, to {1 - config.level:.0%} certain; above 0",
            {"gain_low": low},
        ),
    )


def _calibration(labels: Labels, challenger: Evidence, champion: Evidence, rise: float) -> Check:
    new, old = (measure("calibration_error", labels, each.probabilities) for each in (challenger, champion))
    return Check(
        "calibration error",
        new - old <= rise,
        f"{new:.3f} against {old:.3f}; at most {rise:g} more",
        {"challenger_calibration_error": new, "champion_calibration_error": old},
    )


def _latency(challenger: Evidence, champion: Evidence, times: float) -> Check:
    new, old = challenger.seconds, champion.seconds
    return Check(
        "latency",
        new <= times * old,
        f"{1000 * new:.0f} ms an image against {1000 * old:.0f} ms; at most {times:g} times",
        {"challenger_seconds": new, "champion_seconds": old},
    )
