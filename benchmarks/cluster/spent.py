"""Where a process's time goes: seconds by name, of calls within calls the inner ones' alone."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any


class Spent:
    """Adds up seconds in the methods of what it is put `on`."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._within = [0.0]

    def on(self, name: str, of: Any) -> Any:
        """What stands for the object `of`; seconds in its methods are counted under `name`."""
        return _Watched(self, name, of)

    def call(self, name: str, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        self._within.append(0.0)
        try:
            return method(*arguments, **options)
        finally:
            seconds = time.perf_counter() - started
            self.seconds[name] += seconds - self._within.pop()
            self._within[-1] += seconds


class _Watched:
    def __init__(self, spent: Spent, name: str, of: Any) -> None:
        self._spent, self._name, self._of = spent, name, of

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._of, name)
        return partial(self._spent.call, self._name, value) if callable(value) else value
