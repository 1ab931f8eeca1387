"""Who promoted what, when and why: records in the tags of the registered model, where deleting a run leaves them.

Each record has a tag of its own, named by time and a random part, so that none is ever written over.
"""

import uuid
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from frostline.config.frozen import Frozen
from frostline.errors import RegistryError

__all__ = ["Author", "Promotion", "append", "new_tag", "read"]

_PREFIX = "frostline.promotion."


class Author(Frozen):
    """Who acts, why (in their own words, if they gave any), and with which versions and commit."""

    who: str
    why: str = ""
    lineage: dict[str, str] = Field(default_factory=dict)


class Promotion(Frozen):
    """One change of champion, from version `before` to `version`, with the checks that it passed and their numbers.

    Numbers are finite: JSON has no others.
    """

    action: Literal["promoted", "rolled back"]
    version: str
    before: str | None
    when: datetime
    author: Author
    checks: dict[str, str] = Field(default_factory=dict)
    numbers: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def now(cls, **fields: Any) -> "Promotion":
        """A record of this moment."""
        return cls(when=datetime.now(UTC), **fields)


def new_tag(promotion: Promotion) -> str:
    """A tag for its record."""
    return f"{_PREFIX}{promotion.when:%Y%m%dT%H%M%S.%fZ}.{uuid.uuid4().hex[:8]}"


def append(client: Any, name: str, promotion: Promotion, tag: str) -> None:
    """Write a record into the `tag` of the registered model called `name`; to do it again changes nothing."""
    client.set_registered_model_tag(name, tag, promotion.model_dump_json())


def read(client: Any, name: str) -> list[Promotion]:
    """All records of the registered model called `name`, the oldest first. Raises RegistryError if one was edited."""
    tags = client.get_registered_model(name).tags
    return [_parsed(name, tag, tags[tag]) for tag in sorted(tags) if tag.startswith(_PREFIX)]


def _parsed(name: str, tag: str, text: str) -> Promotion:
    try:
        return Promotion.model_validate_json(text)
    except ValidationError:
        raise RegistryError(
            f"The tag {tag} of {name} is no record of a promotion any more: somebody edited it. Restore it, or delete "
            "it in MLflow's UI."
        ) from None
