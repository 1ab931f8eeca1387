"""Moves of the alias `champion`: done as a whole, whenever the process that began one is killed.

What is to be done is written down first, in one tag of the registered model. From then on the move is finished, by
whoever comes next: aliases, then its record in the history, which so tells nothing that did not happen.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from frostline.config.frozen import Frozen
from frostline.errors import RegistryError
from frostline.registry.history import Promotion, append, new_tag
from frostline.runtime.progress import say

__all__ = ["champions", "finish_move", "move"]

_BEGUN = "frostline.move"


class _Move(Frozen):
    """What is to be done: the record, the tag that it goes into, the alias `previous`, the model's new description."""

    record: Promotion
    tag: str
    previous: str | None
    description: str


def move(client: Any, name: str, record: Promotion, previous: str | None, description: str) -> None:
    """Make `record.version` the champion of the registered model called `name`, and `previous` the one before."""
    begun = _Move(record=record, tag=new_tag(record), previous=previous, description=description)
    client.set_registered_model_tag(name, _BEGUN, begun.model_dump_json())
    finish_move(client, name)


def finish_move(client: Any, name: str) -> Promotion | None:
    """Finish the move that was begun, and give its record; None if there was none.

    A move is dropped if somebody has set the champion to another version since. Raises RegistryError if the tag that
    holds it was edited.
    """
    model = client.get_registered_model(name)
    text, champion = model.tags.get(_BEGUN), model.aliases.get("champion")
    if text is None:
        return None
    begun = _parsed(name, text)
    record = begun.record
    done = champion is not None and str(champion) == record.version
    if not done and (None if champion is None else str(champion)) != record.before:
        say(
            f"A move of {name} to version {record.version} was interrupted, and is dropped: champion is {champion} now."
        )
        client.delete_registered_model_tag(name, _BEGUN)
        return None
    client.set_registered_model_alias(name, "champion", record.version)
    if begun.previous is not None:
        client.set_registered_model_alias(name, "previous", begun.previous)
    elif "previous" in model.aliases:
        client.delete_registered_model_alias(name, "previous")
    append(client, name, record, begun.tag)
    client.update_registered_model(name, begun.description)
    client.delete_registered_model_tag(name, _BEGUN)
    return record


def champions(records: Sequence[Promotion], champion: str | None) -> list[str]:
    """The line of champions that `records` tell of, up to `champion`; what a rollback left behind is not in it.

    A champion that was set by hand, which no record tells of, stands where the next record, or the present, finds it.
    """
    line: list[str] = []

    def found(version: str | None) -> None:
        if version is not None and line[-1:] != [version]:
            line.append(version)

    for record in records:
        found(record.before)
        if record.action == "promoted":
            line.append(record.version)
        else:
            while line and line[-1] != record.version:
                line.pop()
            found(record.version)
    found(champion)
    return line


def _parsed(name: str, text: str) -> _Move:
    try:
        return _Move.model_validate_json(text)
    except ValidationError:
        raise RegistryError(
            f"The tag {_BEGUN} of {name} does not hold a move any more: somebody edited it. Delete it in MLflow's UI."
        ) from None
