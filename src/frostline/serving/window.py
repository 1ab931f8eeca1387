"""The last pictures that a version labelled, and whether they are still like the test images."""

from collections import deque
from collections.abc import Sequence
from threading import Lock

import pandas as pd

from frostline.evaluation.answered import Answered
from frostline.evaluation.drift import Drift, compare
from frostline.registry.models import LoadedVersion
from frostline.serving.joint import Row
from frostline.serving.limits import Refused

__all__ = ["Window"]


class Window:
    """The numbers that `version` answered to the last `length` pictures. Threads may use it at once."""

    def __init__(self, version: LoadedVersion, length: int) -> None:
        self._version = f"{version.name} version {version.number}"
        self._reference = version.test_answers
        self._columns = self._reference.columns if self._reference else []
        self._last: deque[list[float]] = deque(maxlen=length)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._last)

    def add(self, rows: Sequence[Row]) -> None:
        """Take in answers. Those of pictures that could not be used do not count."""
        if self._columns:
            numbers = [[row[column] for column in self._columns] for row in rows if not row["error"]]
            with self._lock:
                self._last.extend(numbers)

    def drift(self) -> Drift:
        """Compare the pictures with the test images. Raises Refused if the version says nothing of those."""
        if self._reference is None:
            reason = f"{self._version} carries no answers to test images: register it again with this frostline."
            raise Refused(404, reason, "no_reference")
        with self._lock:
            last = pd.DataFrame(self._last, columns=self._columns)
        return compare(self._reference, Answered.of(last, self._reference.classes))
