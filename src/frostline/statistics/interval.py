"""A measured value and how sure it is."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Interval"]


class Interval(BaseModel):
    """A value with its 95% interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"
