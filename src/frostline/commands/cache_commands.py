"""The commands that `frostline cache` has. The command line imports this, and nothing that is heavy."""

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(help="Show and prune the cached activations of frozen blocks.", no_args_is_help=True)


@app.command("show")
def show() -> None:
    """List what is cached, by network, data and view."""
    from frostline.commands import cache

    cache.show()


@app.command("prune")
def prune(
    to: Annotated[float | None, typer.Option(min=0, max=1e6, help="Gigabytes; else stores.cache_gigabytes.")] = None,
) -> None:
    """Delete the least recently used activations."""
    from frostline.commands import cache

    cache.prune(to)
