"""`--debug`, an option of the command line that is taken before a command's name and after it."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from frostline.runtime.debugging import start_debugging

__all__ = ["Commands", "Debug"]


class Commands(TyperGroup):
    """Commands that all have the option `debug` of their group."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        debug = [option for option in self.params if option.name == "debug"]
        for command in _below(self):
            command.params += debug


def _below(group: TyperGroup) -> Iterator[Any]:
    """Every command in `group` and its groups."""
    for command in group.commands.values():
        yield command
        if isinstance(command, TyperGroup):
            yield from _below(command)


def _take(given: bool) -> None:  # noqa: FBT001  # as Click calls it
    if given:
        start_debugging()


_HELP = "Show the tracebacks of errors; so does FROSTLINE_DEBUG=1."
Debug = Annotated[bool, typer.Option("--debug", callback=_take, is_eager=True, expose_value=False, help=_HELP)]
