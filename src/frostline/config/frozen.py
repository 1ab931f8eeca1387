"""The base of whatever is read from a file or written to one: it cannot be changed, and knows no other fields."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Frozen"]


class Frozen(BaseModel):
    """A record whose fields are checked when it is made, and then stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")
