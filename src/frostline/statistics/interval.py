"""A measured value and how sure it is."""

from frostline.config.frozen import Frozen

__all__ = ["Interval"]


class Interval(Frozen):
    """A value with its 95% interval.

    >>> print(Interval(value=0.7891, low=0.7512, high=0.8243))
    0.789 [0.751, 0.824]
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"
