"""Say what long work is doing: a bar on a terminal, plain log lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from frostline.text.words import visible

__all__ = ["say", "track"]

_SECONDS_BETWEEN_LINES = 10.0

T = TypeVar("T")


def say(message: str) -> None:
    """Print one line for the user on standard error, which a pipe or DVC passes on at once."""
    print(visible(message, keep="\n"), file=sys.stderr, flush=True)


def track(items: Iterable[T], what: str, total: int, size: Callable[[T], int] = lambda _: 1) -> Iterator[T]:
    """Yield `items`, showing how much of `total` is done: of each item its `size`.

    On a terminal this is a progress bar; elsewhere one line at most every ten seconds, so that logs stay short.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import Progress

        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task(escape(what), total=total)
            for item in items:
                yield item
                bar.advance(task, size(item))
        return
    last = started = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += size(item)
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES and done < total:
            say(f"{what}: {done} of {total}")
            last = now
    say(f"{what}: {done} of {total} in {time.monotonic() - started:.1f} s")
