"""A measured value and how sure it is."""

from frostline.config.frozen import Frozen

__all__ = ["Interval"]


class Interval(Frozen):
    """A value with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"
